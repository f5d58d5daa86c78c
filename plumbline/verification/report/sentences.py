"""The sentences beside a check: what it claims, and what it protects from. They are written in the check's own file."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_GUARDS = re.compile(r"^Protects from (.+?)(?:\n\n|\Z)", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class File:
    """What a file of checks is about, what they protect from, and the docstrings of its functions that have one."""

    about: str
    guards: str
    functions: dict[str, str]


@cache
def of(path: Path) -> File:
    """Return the sentences of a file; empty ones if it is no Python."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError):
        return File("", "", {})
    said = ast.get_docstring(tree) or ""
    found = _GUARDS.search(said)
    functions = {
        one.name: _first(doc)
        for one in ast.walk(tree)
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef) and (doc := ast.get_docstring(one))
    }
    return File(_first(said), " ".join(found[1].split()) if found else "", functions)


def claim(name: str) -> str:
    """Return what a check claims: its name as a sentence, with its case."""
    path, _, case = name.partition("[")
    words = path.rpartition("::")[2].removeprefix("test_").replace("_", " ")
    return f"{words} ({case.removesuffix(']')})" if case else words


def _first(docstring: str) -> str:
    return " ".join(docstring.split("\n\n")[0].split())
