"""The corpus is the same for a seed, and what is measured with it is counted rightly."""

from __future__ import annotations

from typing import Any

import pypdfium2
import pytest

from plumbline.verification import accuracy
from tests.data.corpus import Document, corpus
from tests.data.scans import TURN_MAX
from tests.data.scores import distance, score

DOCUMENTS = list(corpus(300, 1))


def answer(document: Document, **others: Any) -> dict[str, Any]:
    """Return an answer in which everything is right, but for the parts in `others`."""
    annotations = [
        {
            "label_name": area.name,
            "text": value.text,
            "normalised_value": value.meaning,
            "validation_status": "invalid" if area is document.malformed else "valid",
        }
        for area in document.layout.areas
        if (value := document.truth[area.name]).text is not None
    ]
    missing = [name for name, value in document.truth.items() if value.text is None]
    right = {"annotations": annotations, "missing_required": missing, "needs_review": False, "pages": []}
    return right | others


def first(trait: str) -> Document:
    return next(one for one in DOCUMENTS if one.trait == trait)


def test_a_corpus_has_its_pages_and_everything_that_is_measured() -> None:
    assert sum(document.layout.pages for document in DOCUMENTS) == pytest.approx(300, abs=1)
    combined = {(document.transform, document.layout.kind) for document in DOCUMENTS}
    assert len(combined) == 9 * 4
    assert {document.format for document in DOCUMENTS} == {"pdf", "png", "jpeg", "webp", "tiff", "heic"}
    assert {document.trait for document in DOCUMENTS} == {"whole", "missing", "wrong format", "stranger"}
    assert TURN_MAX == 15


@pytest.mark.parametrize("number", [0, 5])
def test_the_same_seed_makes_the_same_file(number: int) -> None:
    again = list(corpus(number + 1, 1))[number]
    other = list(corpus(number + 1, 2))[number]
    assert again.content() == DOCUMENTS[number].content()
    assert other.truth != again.truth


def test_a_document_says_what_its_truth_says() -> None:
    for document in DOCUMENTS[:40:9]:
        pages = pypdfium2.PdfDocument(document.content())
        text = " ".join(page.get_textpage().get_text_bounded() for page in pages).split()
        for value in document.truth.values():
            assert set((value.text or "").split()) <= set(text)


def test_a_right_answer_has_a_full_score() -> None:
    for trait in ("whole", "missing", "wrong format"):
        document = first(trait)
        counted, wrong = score(document, answer(document))
        assert wrong == []
        assert counted.fields == counted.raw == counted.normalised
        assert (counted.wrong_valid, counted.wrong_characters) == (0, 0)
        assert counted.missing == counted.missing_named == int(trait == "missing")
        assert counted.malformed == counted.malformed_invalid == int(trait == "wrong format")


def test_a_wrong_value_that_is_valid_is_counted() -> None:
    document = first("whole")
    given = answer(document)
    given["annotations"][0] |= {"text": "RE-000000", "normalised_value": "RE-000000"}
    counted, wrong = score(document, given)
    assert (counted.fields - counted.raw, counted.wrong_valid) == (1, 1)
    assert len(wrong) == 1


def test_a_value_found_where_none_is_and_a_missing_one_not_named_are_counted() -> None:
    document = first("missing")
    empty = next(name for name, value in document.truth.items() if value.text is None)
    given = answer(document, missing_required=[])
    given["annotations"].append(
        {"label_name": empty, "text": "7", "normalised_value": "7", "validation_status": "valid"}
    )
    counted, wrong = score(document, given)
    assert (counted.missing, counted.missing_named, counted.wrong_valid) == (1, 0, 1)
    assert len(wrong) == 1


def test_another_layout_must_be_refused() -> None:
    document = first("stranger")
    refused = {"annotations": [], "missing_required": [], "needs_review": True, "pages": []}
    assert score(document, refused)[0].strangers_refused == 1
    assert score(document, refused | {"needs_review": False})[0].strangers_refused == 0
    valid = {"label_name": "date", "text": "x", "normalised_value": "x", "validation_status": "valid"}
    counted, wrong = score(document, refused | {"annotations": [valid]})
    assert (counted.strangers_refused, counted.wrong_valid, len(wrong)) == (0, 1, 1)


@pytest.mark.parametrize(("one", "other", "wanted"), [("", "abc", 3), ("kitten", "sitting", 3), ("12", "12", 0)])
def test_the_distance_of_texts(one: str, other: str, wanted: int) -> None:
    assert distance(one, other) == distance(other, one) == wanted


def test_tables_have_shares_of_all_rows() -> None:
    document = first("whole")
    counted, _ = score(document, answer(document))
    row = {"transform": "clean", "kind": "form", **counted.as_record()}
    wrong = row | {"kind": "letter", "raw": 0}
    text = accuracy.tables({"seed": 1, "rows": [row, wrong]})
    fields = counted.fields
    assert f"| clean | 2 | 2 | {2 * fields} | 50.0 % | 100.0 % |" in text
    assert f"| clean | letter | 1 | 1 | {fields} | 0.0 % | 100.0 % |" in text
    assert accuracy.missed({"seed": 1, "rows": [row]}) == []
    assert accuracy.missed({"seed": 1, "rows": [row, wrong]}) == ["clean (50.0 % exact)"]
