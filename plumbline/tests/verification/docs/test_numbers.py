"""Numbers that people wrote into pages are those of the shared facts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from servicekit import facts

from plumbline import ROOT

SAID = {
    "LOG_CAP": r"(?:last|newest|more than) (\d+)(?= (?:warnings|entries|of all|wait|of each)|<)|of the (\d+)[., ]",
    "POSTGRES_MAJOR": r"(?i:postgres(?:ql)?[ :])(\d\d)\b",
    "FRONT_PORT": r"http://127\.0\.0\.1:(\d+)",
}
"""Fact to the words that a page says it in."""
LEFT_OUT = {ROOT / "docs" / "decisions", ROOT / "docs" / "generated"}
"""These tell what was so at a date, or are made from the facts."""


def pages() -> Iterator[Path]:
    yield from (
        ROOT / "README.md",
        ROOT / "docs" / "assets" / "plumbline.svg",
        ROOT / "docker" / "postgres" / "Dockerfile",
    )
    yield from (path for path in (ROOT / "docs").rglob("*.md") if not LEFT_OUT.intersection(path.parents))
    yield from (ROOT / "k8s").rglob("*.yaml")


@pytest.mark.parametrize("fact", SAID)
def test_what_a_page_says_is_the_fact(fact: str) -> None:
    said = {}
    for page in pages():
        for match in re.finditer(SAID[fact], page.read_text()):
            said[f"{page.relative_to(ROOT)}: {match[0]}"] = next(filter(None, match.groups()))
    assert said, "no page says it any more: remove it here"
    wrong = [words for words, number in said.items() if number != str(getattr(facts, fact))]
    assert not wrong, f"{fact} is {getattr(facts, fact)} in servicekit/facts.py: change {wrong}"
