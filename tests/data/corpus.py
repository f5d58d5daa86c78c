"""The corpus: which documents it has, and what is written in each. The same seed makes the same documents."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from tests.data import filled, scans, values
from tests.data.filled import Entry
from tests.data.layouts import LAYOUTS, Area, Layout
from tests.data.paper import Paper
from tests.data.scans import File, Format, Transform
from tests.data.values import Value

Trait = Literal["whole", "missing", "wrong format", "stranger"]
"""All values, a required one missing, one that lacks its format, or a document of another layout than the template."""

TRANSFORMS: tuple[Transform, ...] = (
    "text layer", "filled form", "clean", "turned", "shifted", "scaled", "speckle", "blurred", "faint", "compressed",
)  # fmt: skip
_TRAITS: dict[int, Trait] = {3: "missing", 6: "wrong format", 9: "stranger"}
"""Of ten documents."""


@dataclass(frozen=True)
class Document:
    """A document of the corpus: `template` is the layout whose template is applied to it."""

    number: int
    layout: Layout
    template: Layout
    transform: Transform
    format: Format
    trait: Trait
    seed: int

    @property
    def name(self) -> str:
        """Its file name."""
        kind = f"{self.layout.name} {self.transform} {self.trait}".replace(" ", "-")
        return f"{self.number:03}-{kind}.{self.format}"

    @cached_property
    def truth(self) -> dict[str, Value]:
        """What is written in each field."""
        chance = self._chance("values")
        written = {area.name: area.make(chance) for area in self.layout.areas}
        if self.trait == "missing":
            written[chance.choice([area.name for area in self.layout.areas if area.required])] = Value(None, None)
        if self.trait == "wrong format":
            area = self.malformed
            assert area is not None and area.wrong is not None  # noqa: PT018
            written[area.name] = values.plain(area.wrong)
        return written

    @property
    def malformed(self) -> Area | None:
        """The field whose value does not have its format."""
        if self.trait != "wrong format":
            return None
        return next(area for area in self.layout.areas if area.wrong is not None)

    def file(self) -> File:
        """Make the file."""
        is_form = self.transform == "filled form"
        drawn = draw(self.layout, self.truth, self._chance("prose"), is_form=is_form)
        if self.transform not in scans.DRAWN:
            return scans.scanned(drawn, self.transform, self.format, self._chance("scan"))
        if is_form:
            drawn = filled.form(drawn, _entries(self.layout, self.truth), self.layout.text_size)
        return File(drawn, [scans.UNMOVED] * self.layout.pages)

    def _chance(self, part: str) -> random.Random:
        return random.Random(f"{self.seed} {self.number} {part}")


def source(layout: Layout, seed: int) -> Document:
    """Return the document from which a layout's template is made: it has a text layer, and values of its own."""
    return Document(-1 - LAYOUTS.index(layout), layout, layout, "text layer", "pdf", "whole", seed)


def corpus(pages: int, seed: int) -> Iterator[Document]:
    """Yield the documents of a corpus of so many pages, or one more."""
    number = 0
    while pages > 0:
        transform = TRANSFORMS[number % len(TRANSFORMS)]
        # Traits and formats move on from round to round: else each layout would always have the same.
        rounds, column = divmod(number, len(TRANSFORMS))
        turn, row = divmod(rounds, len(LAYOUTS))
        layout = LAYOUTS[row]
        trait = _TRAITS.get((number + rounds) % 10, "whole")
        template = _other(layout) if trait == "stranger" else layout
        usable = scans.formats(transform, layout.pages)
        written = usable[(column + row + turn) % len(usable)]
        yield Document(number, layout, template, transform, written, trait, seed)
        number += 1
        pages -= layout.pages


def _other(layout: Layout) -> Layout:
    return next(other for other in LAYOUTS if other.kind == layout.kind and other is not layout)


def draw(layout: Layout, truth: dict[str, Value], chance: random.Random, *, is_form: bool = False) -> bytes:
    """Return a PDF of a layout with these values, and with an address and prose of its own.

    A form's values are not drawn, but for tables.
    """
    paper = Paper(*layout.size, layout.pages)
    for page, x, baseline, size, text in layout.captions:
        paper.text(page, x, baseline, text, font=layout.bold if size > layout.text_size else layout.font, size=size)
    if layout.address is not None:
        lines = (
            values.name(chance).text or "",
            f"{chance.choice(values.STREETS)} {chance.randrange(1, 90)}",
            f"{chance.randrange(10_000, 99_999)} {chance.choice(values.TOWNS)}",
        )
        _paragraph(paper, layout, (1, *layout.address), lines)
    if layout.prose is not None:
        page, x, baseline, count = layout.prose
        _paragraph(paper, layout, (page, x, baseline), tuple(chance.sample(layout.sentences, count)))
    for area in layout.areas:
        if layout.is_boxed:
            paper.rectangle(area.page, area.x, area.y, area.width, area.height)
        if not is_form or area.type == "table":
            _fill(paper, layout, area, truth[area.name])
    return paper.finished()


def _entries(layout: Layout, truth: dict[str, Value]) -> list[Entry]:
    return [
        Entry(area.name, area.page, (area.x, area.y, area.width, area.height), truth[area.name].text, area.align)
        for area in layout.areas
        if area.type != "table"
    ]


def _paragraph(paper: Paper, layout: Layout, place: tuple[int, float, float], lines: tuple[str, ...]) -> None:
    page, x, baseline = place
    for number, line in enumerate(lines):
        below = baseline + number * 1.35 * layout.text_size
        paper.text(page, x, below, line, font=layout.font, size=layout.text_size)


def _fill(paper: Paper, layout: Layout, area: Area, value: Value) -> None:
    if value.text is None:
        return
    if area.type == "table":
        assert isinstance(value.meaning, list)
        for number, row in enumerate(value.meaning):
            baseline = area.y + (number + 1.0) * 1.6 * layout.text_size
            for column, (cell, at) in enumerate(zip(row, area.columns, strict=True)):
                align: Literal["left", "right"] = "right" if column == len(row) - 1 else "left"
                x = area.x + 2 + at if align == "left" else area.x + at
                paper.text(area.page, x, baseline, cell, font=layout.font, size=layout.text_size, align=align)
        return
    baseline = area.y + area.height / 2 + 0.35 * layout.text_size
    x = area.x + 4 if area.align == "left" else area.x + area.width - 4
    paper.text(area.page, x, baseline, value.text, font=layout.font, size=layout.text_size, align=area.align)
