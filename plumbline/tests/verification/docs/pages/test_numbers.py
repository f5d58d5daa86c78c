"""Numbers that people wrote into pages are those of the code, the settings and the manifests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from servicekit import facts

from plumbline import ROOT
from plumbline.components import COMPONENTS

from . import rows, rows_of_calls
from .rows import SAID
from .values import Value, pattern

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


ROWS = [*rows.ROWS, *rows_of_calls.ROWS]


@pytest.mark.parametrize(("page", "words", "values"), [(row[0], row[1], row[2:]) for row in ROWS])
def test_a_number_on_a_page_is_that_of_the_product(page: str, words: str, values: tuple[Value, ...]) -> None:
    said = " ".join((ROOT / page).read_text().split())
    found = pattern(words).search(said)
    assert found, f"{page} no longer says {words!r}: change the row of this test to its new words"
    for number, value in zip(found.groups(), values, strict=True):
        right = {str(value.number)} if isinstance(value.number, str) else value.spellings
        assert number in right, f"{page} says {found[0]!r}; expected {value.number} ({value.where}): correct the page"


def test_the_sizing_table_has_the_resources_of_the_manifests() -> None:
    page = (ROOT / "docs/kubernetes.md").read_text()
    for name in COMPONENTS:
        (file,) = (
            *(ROOT / "k8s/base" / name).glob("deployment.yaml"),
            *(ROOT / "k8s/base" / name).glob("stateful*.yaml"),
        )
        spec = yaml.safe_load(file.read_text())["spec"]
        resources = spec["template"]["spec"]["containers"][0]["resources"]
        asked, most = resources["requests"], resources["limits"]
        row = f"| {name} | {spec['replicas']} | {asked['cpu']} | {asked['memory']} | {most['memory']} |"
        assert row in page, (
            f"docs/kubernetes.md: expected the row {row} of {file.relative_to(ROOT)} in the sizing table"
        )


def test_the_levels_on_a_page_are_those_that_are_kept() -> None:
    *others, last = (f"`{level}`" for level in facts.LEVELS_KEPT)
    said = f"Entries of level {', '.join(others)} and {last}"
    assert said in (ROOT / "docs/recorder.md").read_text(), f"docs/recorder.md: expected {said!r} (LEVELS_KEPT)"
