"""The corpus is the same for a seed, and what is measured with it is counted rightly."""

from __future__ import annotations

import io
import random
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np
import pypdfium2
import pytest
from PIL import Image
from pypdf import PdfReader

from plumbline.verification import accuracy
from tests.data.corpus import Document, corpus
from tests.data.paper import Paper
from tests.data.scans import DRAWN, TURN_MAX, UNMOVED, Transform, scanned
from tests.data.scores import Score, distance, overlap, score

DOCUMENTS = list(corpus(300, 1))


def answer(document: Document, **others: Any) -> dict[str, Any]:
    """Return an answer in which everything is right, but for the parts in `others`."""
    annotations = [
        {
            "label_name": area.name,
            "text": value.text,
            "normalised_value": value.meaning,
            "validation_status": "invalid" if area is document.malformed else "valid",
            "bounding_box": {"x": area.x, "y": area.y, "width": area.width, "height": area.height},
        }
        for area in document.layout.areas
        if (value := document.truth[area.name]).text is not None
    ]
    missing = [name for name, value in document.truth.items() if value.text is None]
    right = {"annotations": annotations, "missing_required": missing, "needs_review": False, "pages": []}
    return right | others


def scored(document: Document, given: dict[str, Any]) -> tuple[Score, list[str]]:
    return score(document, given, [UNMOVED] * document.layout.pages)


def first(trait: str) -> Document:
    return next(one for one in DOCUMENTS if one.trait == trait)


def test_a_corpus_has_its_pages_and_everything_that_is_measured() -> None:
    assert sum(document.layout.pages for document in DOCUMENTS) == pytest.approx(300, abs=1)
    combined = {(document.transform, document.layout.kind) for document in DOCUMENTS}
    assert len(combined) == 10 * 4
    assert {document.format for document in DOCUMENTS} == {"pdf", "png", "jpeg", "webp", "tiff", "heic"}
    assert {document.trait for document in DOCUMENTS} == {"whole", "missing", "wrong format", "stranger"}
    assert TURN_MAX == 15


def test_formats_and_traits_are_tied_to_no_layout() -> None:
    formats, traits = defaultdict(set), defaultdict(set)
    for document in DOCUMENTS:
        traits[document.layout.name].add(document.trait)
        if document.transform not in DRAWN:
            formats[document.layout.name, document.layout.pages].add(document.format)
    assert all(len(some) == (6 if pages == 1 else 2) for (_, pages), some in formats.items()), formats
    assert all(len(some) == 4 for some in traits.values()), traits


@pytest.mark.parametrize("number", [0, 1, 6])
def test_the_same_seed_makes_the_same_file(number: int) -> None:
    again = list(corpus(number + 1, 1))[number]
    other = list(corpus(number + 1, 2))[number]
    assert again.file() == DOCUMENTS[number].file()
    assert other.truth != again.truth


@pytest.mark.parametrize("number", [0, 1])
def test_a_file_does_not_say_when_it_was_made(number: int) -> None:
    written = DOCUMENTS[number].file().content
    assert b"CreationDate" in written
    assert str(datetime.now(UTC).year).encode() not in written


def test_a_document_says_what_its_truth_says() -> None:
    for document in DOCUMENTS[:40:10]:
        pages = pypdfium2.PdfDocument(document.file().content)
        text = " ".join(page.get_textpage().get_text_bounded() for page in pages).split()
        for value in document.truth.values():
            assert set((value.text or "").split()) <= set(text)


def test_values_of_a_filled_form_are_in_its_fields_and_on_its_pages() -> None:
    for document in [one for one in DOCUMENTS if one.transform == "filled form"][:8]:
        content = document.file().content
        entered = {name: value or None for name, value in PdfReader(io.BytesIO(content)).get_form_text_fields().items()}
        tables = {area.name for area in document.layout.areas if area.type == "table"}
        assert entered == {name: value.text for name, value in document.truth.items() if name not in tables}


@pytest.mark.parametrize("to", ["png", "pdf"])
@pytest.mark.parametrize("transform", ["clean", "turned", "shifted", "scaled", "compressed"])
def test_a_scan_says_where_the_page_lies(transform: Transform, to: Literal["png", "pdf"]) -> None:
    box = (100.0, 120.0, 200.0, 30.0)
    paper = Paper(400, 500, 1)
    paper.rectangle(1, *box, filled=True)
    content, (place,) = scanned(paper.finished(), transform, to, random.Random(4))
    if to == "png":
        picture, unit = Image.open(io.BytesIO(content)), 1.0
    else:
        picture, unit = pypdfium2.PdfDocument(content)[0].render(scale=2).to_pil(), 2.0
    inked = Image.fromarray(np.asarray(picture.convert("L")) < 240)
    left, top, right, bottom = inked.getbbox() or (0, 0, 0, 0)
    expected = [side * unit for side in place.around(box)]
    assert [left, top, right - left, bottom - top] == pytest.approx(expected, abs=5)


def test_a_right_answer_has_a_full_score() -> None:
    for trait in ("whole", "missing", "wrong format"):
        document = first(trait)
        counted, wrong = scored(document, answer(document))
        assert wrong == []
        assert counted.boxes == counted.boxes_met == counted.fields
        assert counted.fields == counted.raw == counted.normalised
        assert (counted.wrong_valid, counted.wrong_characters) == (0, 0)
        assert counted.missing == counted.missing_named == int(trait == "missing")
        assert counted.malformed == counted.malformed_invalid == int(trait == "wrong format")


def test_a_wrong_value_that_is_valid_is_counted() -> None:
    document = first("whole")
    given = answer(document)
    given["annotations"][0] |= {"text": "RE-000000", "normalised_value": "RE-000000"}
    counted, wrong = scored(document, given)
    assert (counted.fields - counted.raw, counted.wrong_valid) == (1, 1)
    assert len(wrong) == 1


def test_a_value_found_where_none_is_and_a_missing_one_not_named_are_counted() -> None:
    document = first("missing")
    empty = next(name for name, value in document.truth.items() if value.text is None)
    given = answer(document, missing_required=[])
    given["annotations"].append(
        {"label_name": empty, "text": "7", "normalised_value": "7", "validation_status": "valid"}
    )
    counted, wrong = scored(document, given)
    assert (counted.missing, counted.missing_named, counted.wrong_valid) == (1, 0, 1)
    assert len(wrong) == 1


def test_another_layout_must_be_refused() -> None:
    document = first("stranger")
    refused = {"annotations": [], "missing_required": [], "needs_review": True, "pages": []}
    assert scored(document, refused)[0].strangers_refused == 1
    assert scored(document, refused | {"needs_review": False})[0].strangers_refused == 0
    valid = {"label_name": "date", "text": "x", "normalised_value": "x", "validation_status": "valid"}
    counted, wrong = scored(document, refused | {"annotations": [valid]})
    assert (counted.strangers_refused, counted.wrong_valid, len(wrong)) == (0, 1, 1)


def test_a_value_in_another_place_is_counted() -> None:
    document = first("whole")
    given = answer(document)
    given["annotations"][0]["bounding_box"]["y"] += 15
    counted, _ = scored(document, given)
    assert (counted.boxes, counted.boxes_met) == (counted.fields, counted.fields - 1)


@pytest.mark.parametrize(
    ("other", "wanted"),
    [((0, 0, 4, 2), 1), ((2, 0, 4, 2), 1 / 3), ((4, 0, 4, 2), 0), ((9, 9, 1, 1), 0), ((1, 0.5, 2, 1), 1 / 4)],
)
def test_the_overlap_of_boxes(other: tuple[float, float, float, float], wanted: float) -> None:
    assert overlap((0, 0, 4, 2), other) == overlap(other, (0, 0, 4, 2)) == pytest.approx(wanted)


@pytest.mark.parametrize(("one", "other", "wanted"), [("", "abc", 3), ("kitten", "sitting", 3), ("12", "12", 0)])
def test_the_distance_of_texts(one: str, other: str, wanted: int) -> None:
    assert distance(one, other) == distance(other, one) == wanted


def test_tables_have_shares_of_all_rows() -> None:
    document = first("whole")
    counted, _ = scored(document, answer(document))
    row = {"transform": "clean", "kind": "form", **counted.as_record()}
    wrong = row | {"kind": "letter", "raw": 0}
    text = accuracy.tables({"seed": 1, "rows": [row, wrong]})
    fields = counted.fields
    assert f"| clean | 2 | 2 | {2 * fields} | 50.0 % | 100.0 % |" in text
    assert f"| clean | letter | 1 | 1 | {fields} | 0.0 % | 100.0 % |" in text
    assert accuracy.missed({"seed": 1, "rows": [row]}) == []
    assert accuracy.missed({"seed": 1, "rows": [row, wrong]}) == ["clean (50.0 % exact)"]
