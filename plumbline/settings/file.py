"""Reads settings.env: one NAME=VALUE per line, with the comments and quotes of env files."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

from dotenv.parser import parse_stream

HEADER = """\
# Settings of this stack: one NAME=VALUE per line, such as PLUMBLINE_SESSION_TTL_S=3600. ./deploy-local.sh applies them.
# Every name, with its default: docs/generated/defaults.md
"""
"""The content of a new file."""

_SPECIAL = frozenset("\"'`\\$;#%{}")
_NOT_ALLOWED = "a quote, a backslash, one of $ ; # % { }, or an invisible one"
"""supervisord, Compose and Caddy interpret these differently."""


@dataclass(frozen=True, slots=True)
class Line:
    """One assignment; `number` counts from 1."""

    number: int
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a line; number 0 is the whole file."""

    number: int
    words: str


def read(path: Path) -> tuple[list[Line], list[Problem]]:
    """Return the assignments of a file and its problems. A missing file has neither."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return [], []
    except UnicodeDecodeError:
        return [], [Problem(0, "is not UTF-8 text: save it as UTF-8")]
    except OSError as error:
        return [], [Problem(0, f"cannot be read: {error.strerror}")]
    lines: dict[str, Line] = {}
    problems = []
    for number, raw in enumerate(text.splitlines(), start=1):
        # Line by line, so that an unclosed quote does not include the lines below it.
        for one in parse_stream(io.StringIO(raw)):
            if one.error:
                problems.append(Problem(number, "cannot be read: write NAME=VALUE, and close every quote on its line"))
            elif one.key is None:
                continue  # a comment, or nothing
            elif one.value is None:
                problems.append(Problem(number, f"{one.key} has no value: write {one.key}=VALUE"))
            elif not one.value.isprintable() or _SPECIAL.intersection(one.value):
                problems.append(Problem(number, f"{one.key} contains a character that is not allowed ({_NOT_ALLOWED})"))
            elif one.key in lines:
                problems.append(Problem(number, f"{one.key} is set in line {lines[one.key].number} already"))
            else:
                lines[one.key] = Line(number, one.key, one.value)
    return list(lines.values()), problems
