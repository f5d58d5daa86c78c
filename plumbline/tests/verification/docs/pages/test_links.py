"""Links between pages lead to files and headings that exist, also where no site is built from the page."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from markdown.extensions.toc import slugify

from plumbline import ROOT

from . import text

_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+?)\s*$", re.MULTILINE)
_MARKUP = re.compile(r"`|\*+|\[([^\]]*)\]\([^)]*\)")
PAGES = sorted({*text.PAGES, *ROOT.glob("docs/**/*.md"), *ROOT.glob("*.md")})


@cache
def _headings(page: Path) -> frozenset[str]:
    titles = _HEADING.findall(text.without_code(page.read_text()))
    return frozenset(slugify(_MARKUP.sub(lambda found: found[1] or "", title), "-") for title in titles)


@pytest.mark.parametrize("page", [pytest.param(page, id=text.name(page)) for page in PAGES])
def test_every_link_leads_somewhere(page: Path) -> None:
    said = text.without_code(page.read_text())
    for found in _LINK.finditer(said):
        if re.match(r"[a-z]+:", found[1]):
            continue
        target, _, heading = found[1].partition("#")
        file = (page.parent / target).resolve() if target else page
        where = f"{text.name(page)}:{text.line_of(said, found.start())}"
        assert file.exists(), f"{where}: the link {found[1]} leads to {file}, which does not exist"
        if heading and file.suffix == ".md":
            assert heading in _headings(file), f"{where}: {text.name(file)} has no heading #{heading}"
