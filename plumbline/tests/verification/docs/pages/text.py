"""The pages that people write, and their text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from plumbline import ROOT

_GENERATED = ROOT / "docs" / "generated"
_DECISIONS = ROOT / "docs" / "decisions"
"""They tell what was so at a date."""
_CODE = re.compile(r"```.*?```", re.DOTALL)
_PATCH = re.compile(r"```diff\n.*?```", re.DOTALL)
_SPAN = re.compile(r"(`+)(.+?)\1")
PAGES = sorted(
    path
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"))
    if _GENERATED not in path.parents and _DECISIONS not in path.parents and path.name != "CHANGELOG.md"
)


def name(page: Path) -> str:
    """Return a page's path in the repository."""
    return page.relative_to(ROOT).as_posix()


def line_of(text: str, place: int) -> int:
    """Return the number of the line with this character."""
    return text.count("\n", 0, place) + 1


def without_code(text: str) -> str:
    """Return a page's text with its blocks of code blanked, so that every line keeps its number."""
    return _CODE.sub(lambda block: "\n" * block[0].count("\n"), text)


def without_patches(page: Path) -> str:
    """Return a page's text without the patches of an example, which add what is not there yet."""
    return _PATCH.sub(lambda block: "\n" * block[0].count("\n"), page.read_text())


def spans(page: Path) -> Iterator[tuple[str, str]]:
    """Yield page and line, and the text, of everything between backticks outside of blocks of code."""
    text = without_code(page.read_text())
    for found in _SPAN.finditer(text):
        yield f"{name(page)}:{line_of(text, found.start())}", found[2].strip()
