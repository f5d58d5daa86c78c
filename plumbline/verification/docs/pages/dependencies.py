"""docs/generated/dependencies.md: why each direct dependency is there."""

from __future__ import annotations

import re
from pathlib import Path

from plumbline import ROOT
from plumbline.verification.docs import words
from plumbline.verification.docs.markdown import code, sentence, table

_REQUIREMENTS = ROOT / "requirements"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

_INTRODUCTION = """\
# Dependencies

The packages that `requirements/*.in` name. `requirements/lock.sh` locks them and all that they need, with hashes, in
the `.txt` beside each file.

"""


def page() -> str:
    """Return one table for each requirements file."""
    sets = {path: _names(path) for path in sorted(_REQUIREMENTS.glob("*.in"))}
    described = words.load("dependencies")
    words.require(described, {name for names in sets.values() for name in names}, "dependencies", "dependencies")
    parts = [
        f"## {path.name}\n\n{_comment(path)}"
        + table(("package", "why"), [(code(name), sentence(described[name])) for name in names])
        for path, names in sets.items()
    ]
    return _INTRODUCTION + "\n".join(parts)


def _names(path: Path) -> list[str]:
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    return [match[0].lower() for line in lines if (match := _NAME.match(line))]


def _comment(path: Path) -> str:
    lines = path.read_text(encoding="utf-8").splitlines()
    text = " ".join(line.lstrip("# ") for line in lines if line.startswith("#"))
    includes = [line.split()[1] for line in lines if line.startswith("-r ")]
    if includes:
        text += f" Includes {', '.join(code(one) for one in includes)}."
    return f"{text.strip()}\n\n" if text else ""
