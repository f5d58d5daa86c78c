"""The sentences beside a check: what it claims, and what it protects from.

The check's docstring says what it protects from, else that of its file, else the table of folders below.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from plumbline import ROOT

FOLDERS = {
    "benchmarks": "figures that measure something else than they say.",
    "plumbline/tests": "a deployment that fails without a reason, harms the machine, or does the wrong thing.",
    "plumbline/tests/backups": "a backup that cannot be restored, and a way back that loses data.",
    "plumbline/tests/command_line": "commands that do something else than they say, or do not say what is next.",
    "plumbline/tests/https": "a front door whose certificate is wrong, runs out, or is asked for too often.",
    "plumbline/tests/releases": "a release that cannot be found again, or is not the one that was tested.",
    "plumbline/tests/rotation": "a secret that is replaced halfway.",
    "plumbline/tests/service": "a stack that does not come back when the machine starts.",
    "plumbline/tests/settings": "settings that are ignored, or wrong ones that are taken.",
    "plumbline/tests/targets": "a target that behaves otherwise than the others.",
    "plumbline/tests/targets/kubernetes": "a deployment to a cluster that hangs, or says too little about why.",
    "plumbline/tests/verification": "checks that cannot fail, or that fail without a reason.",
    "plumbline/tests/verification/docs": "pages that say something else than the code.",
    "plumbline/tests/verification/manifests": "manifests that a cluster refuses, or that leave a component unsafe.",
    "plumbline/tests/verification/report": "a report that leaves something out, or gives a secret away.",
    "services/backend/tests": "accounts, channels and messages that are lost or shown to the wrong users.",
    "services/baseline/tests": "a way back to the baseline that leads to something else.",
    "services/data-processor/tests": "documents and values that are lost, read wrongly or shown to the wrong users.",
    "services/log-sink/tests": "warnings and errors that are lost, and secrets that are recorded.",
    "services/servicekit/tests": "sessions, secrets and logs that one service handles otherwise than another.",
    "tests/upgrade": "an upgrade that loses data, or from which there is no way back.",
    "tests/websocket": "clients of the earlier release that no longer work.",
}
"""What the tests below a folder protect from, unless their file says it."""
_GUARDS = re.compile(r"^Protects from (.+?)(?:\n\n|\Z)", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class File:
    """What a file of checks is about, what they protect from, and what its functions say of themselves."""

    about: str
    guards: str
    functions: dict[str, str]
    own: dict[str, str]
    """What single checks protect from, where the file's sentence is too wide."""

    def guards_of(self, check: str) -> str:
        """Return what a check protects from, by its name in pytest."""
        return self.own.get(check.partition("[")[0].rpartition("::")[2], self.guards)


@cache
def of(path: Path) -> File:
    """Return the sentences of a file; empty ones if it is no Python."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError):
        return File("", "", {}, {})
    said = ast.get_docstring(tree) or ""
    functions = {
        one.name: doc
        for one in ast.walk(tree)
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef) and (doc := ast.get_docstring(one))
    }
    return File(
        _first(said),
        _guards(said) or _of_folder(path),
        {name: _first(doc) for name, doc in functions.items()},
        {name: guards for name, doc in functions.items() if (guards := _guards(doc))},
    )


def claim(name: str) -> str:
    """Return what a check claims: its name as a sentence, with its case."""
    path, _, case = name.partition("[")
    words = path.rpartition("::")[2].removeprefix("test_").replace("_", " ")
    return f"{words} ({case.removesuffix(']')})" if case else words


def _guards(docstring: str) -> str:
    found = _GUARDS.search(docstring)
    return " ".join(found[1].split()) if found else ""


def _of_folder(path: Path) -> str:
    folders = (one.relative_to(ROOT).as_posix() for one in path.parents if one.is_relative_to(ROOT))
    return next((FOLDERS[folder] for folder in folders if folder in FOLDERS), "")


def _first(docstring: str) -> str:
    return " ".join(docstring.split("\n\n")[0].split())
