"""Writes docs/generated/ and the generated block of README.md, or checks that they are what would be written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from plumbline import ROOT
from plumbline.errors import PlumblineError
from plumbline.verification.docs.pages import codes, defaults, dependencies, inventory, routes, run_steps, schema

GENERATED = ROOT / "docs" / "generated"
README = ROOT / "README.md"

PAGES = {
    "dependencies.md": dependencies.page,
    "run-steps.md": run_steps.page,
    "defaults.md": defaults.page,
    "inventory.md": inventory.page,
    "schema.md": schema.page,
    "codes.md": codes.page,
    "routes.md": routes.page,
}
"""File name to the function that returns its text. Those that ask no service come first: they fail at once."""

_NOTICE = "<!-- Written by `python -m plumbline.verification.docs`: change the code, not this page. -->\n\n"
_FRONT_MATTER = re.compile(r"---\n.*?\n---\n\n", re.DOTALL)
_BLOCK = re.compile(r"(<!-- generated: defaults -->\n).*?(<!-- end of generated -->)", re.DOTALL)


def write() -> list[str]:
    """Make every page right, remove those that nobody writes any more, and return what was changed."""
    changed = []
    for path, text in wanted().items():
        if _read(path) != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            changed.append(f"wrote {_name(path)}")
    for path in _strays():
        path.unlink()
        changed.append(f"removed {_name(path)}")
    return changed


def check() -> list[str]:
    """Return a line for each page that differs, is missing, or is there without anything that writes it."""
    return [*_differences(), *(f"{_name(path)}: nothing writes this page any more" for path in _strays())]


def wanted() -> dict[Path, str]:
    """Return every file that is generated, wholly or in part, with the text it should have."""
    readme = _readme(defaults.summary())
    return {GENERATED / name: _with_notice(page()) for name, page in PAGES.items()} | {README: readme}


def _with_notice(text: str) -> str:
    # A page's own metadata has to come first.
    matter = _FRONT_MATTER.match(text)
    return matter[0] + _NOTICE + text[matter.end() :] if matter else _NOTICE + text


def _readme(summary: str) -> str:
    text, found = _BLOCK.subn(lambda match: match[1] + summary + match[2], _read(README) or "")
    if found != 1:
        raise PlumblineError(
            "README.md has lost the block of defaults",
            hint="put back `<!-- generated: defaults -->` and `<!-- end of generated -->`, each on a line of its own",
        )
    return text


def _differences() -> Iterator[str]:
    for path, text in wanted().items():
        there = _read(path)
        if there is None:
            yield f"{_name(path)}: missing"
        elif there != text:
            yield f"{_name(path)}: {_first_difference(there, text)}"


def _first_difference(there: str, text: str) -> str:
    lines, others = there.splitlines(), text.splitlines()
    for number, (line, other) in enumerate(zip(lines, others, strict=False), start=1):
        if line != other:
            return f"differs from line {number} on\n      there: {line}\n     should: {other}"
    return f"has {len(lines)} lines and should have {len(others)}"


def _strays() -> list[Path]:
    known = {GENERATED / name for name in PAGES}
    return sorted(path for path in GENERATED.rglob("*") if path.is_file() and path not in known)


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()
