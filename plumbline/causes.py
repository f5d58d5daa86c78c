"""Why a program ended, in one line, from what it wrote last."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from textwrap import shorten

from plumbline.errors import StepError

_LENGTH = 300
_LINES = 100
_GRAVE = re.compile(r"\b(FATAL|PANIC|CRITICAL)\b")
_RAISED = re.compile(r"^(\w+\.)*\w*(Error|Exception|Exit)\b")
_FAILED = re.compile(r"\b(ERROR|Error|error|Exception|refused|cannot|failed)\b")
_PART_OF_A_TRACE = re.compile(r"^(\s|Traceback |During handling |The above exception )")


def cause(lines: Iterable[str]) -> str:
    """Return the line that says why, without a traceback around it; empty if nothing was written."""
    said = [words for line in lines if (words := _words(line))]
    for sign in (_GRAVE, _RAISED, _FAILED):
        for words in reversed(said):
            if sign.search(words):
                return shorten(words, _LENGTH, placeholder=" …")
    return shorten(said[-1], _LENGTH, placeholder=" …") if said else ""


@contextmanager
def named(log_tail: Callable[[str, int], list[str]]) -> Iterator[None]:
    """Add to the error of a program that ended what it wrote about the cause."""
    try:
        yield
    except StepError as error:
        ended = error.component if error.exit_code is not None else None
        why = cause(log_tail(ended, _LINES)) if ended else ""
        if not why:
            raise
        sentence = f"{error}: {why}"
        raise StepError(sentence, component=ended, exit_code=error.exit_code, hint=error.hint) from None


def _words(line: str) -> str:
    """Return what a line says to a person; empty where it is a part of a traceback."""
    if not line.startswith("{"):
        return "" if _PART_OF_A_TRACE.match(line) else line.strip()
    try:
        entry = json.loads(line)
        level, words = str(entry.get("level", "")), str(entry.get("message") or entry.get("msg") or "")
    except (ValueError, AttributeError):
        return line.strip()
    trouble = str(entry.get("exception") or entry.get("error") or "").strip()
    last = trouble.splitlines()[-1] if trouble else ""
    words = f"{words}: {last}" if last and last not in words else words
    return f"{level.upper()} {words}" if level in ("error", "critical", "fatal") else words
