"""Values of labels: their text, their format, their status, and what is said where a page or a place is doubtful."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from data_processor.applying.findings import Finding, Found, Label, Page, Plan, find
from data_processor.applying.words import PlacedWord, Rectangle
from data_processor_testkit.invoices import SIZE, Invoice, invoice, scanned

PIXELS = 2.0
FORMATS = {"number": r"\d{4}", "customer": r"K\d{3}", "date": None, "total": None}
TYPES = {"date": "date", "total": "amount"}


def labels_of(template: Invoice, **changes: Any) -> list[Label]:
    return [
        dataclasses.replace(
            Label(
                id=number,
                name=name,
                page=1,
                every_page=False,
                box=Rectangle(*box),
                value_type=TYPES.get(name, "text"),  # type: ignore[arg-type]
                expected_format=FORMATS[name],
                required=False,
            ),
            **changes,
        )
        for number, (name, box) in enumerate(template.boxes.items(), 1)
    ]


def page_of(page: Invoice, **how: Any) -> Page:
    words = scanned(page.words, pixels=PIXELS, **how)
    placed = [PlacedWord(word["text"], Rectangle(*word["box"]), word["confidence"]) for word in words]
    return Page((SIZE[0] * PIXELS, SIZE[1] * PIXELS), placed)


def plan_of(template: Invoice, **changes: Any) -> Plan:
    anchors = Page(SIZE, [PlacedWord(text, Rectangle(*box)) for text, box in template.words])
    return Plan(**{
        "labels": labels_of(template), "anchors": {1: anchors}, "date_order": "DMY", "decimal_separator": ".",
    } | changes)  # fmt: skip


def by_label(found: Found) -> dict[int, Finding]:
    return {finding["label_id"]: finding for finding in found.findings}


def typed(text: str, **changes: Any) -> Finding:
    """Return what is found of one label, on a page whose only unknown is its text."""
    template = invoice(0)
    label = dataclasses.replace(labels_of(template)[0], **{"expected_format": None} | changes)
    number = template.fields["number"]
    words = [(text if word == number else word, box) for word, box in template.words]
    plan = plan_of(template, labels=[label])
    return find(plan, {1: page_of(dataclasses.replace(template, words=words))}).findings[0]


@pytest.mark.parametrize("how", [{}, {"degrees": -12, "scale": 0.8, "shift": 20 - 15j}], ids=["straight", "turned"])
def test_values_are_valid_where_page_and_format_agree(how: dict[str, Any]) -> None:
    template, page = invoice(0), invoice(7)
    found = find(plan_of(template), {1: page_of(page, **how)})

    assert [(result["method"], result["needs_review"], result["reason"]) for result in found.pages] == [
        ("anchors", False, None)
    ]
    day, month, year = page.fields["date"].split(".")
    normalised = page.fields | {"date": f"{year}-{month}-{day}"}
    assert [
        (one["text"], one["normalised_value"], one["validation_status"], one["reason"]) for one in found.findings
    ] == [(page.fields[name], normalised[name], "valid", None) for name in page.fields]
    for one in found.findings:
        assert 0 <= one["box_x"] < one["box_x"] + one["box_width"] <= SIZE[0] * PIXELS
        assert 0 <= one["box_y"] < one["box_y"] + one["box_height"] <= SIZE[1] * PIXELS


@pytest.mark.parametrize(
    ("text", "changes", "expected"),
    [
        ("1234", {"expected_format": r"\d{4}"}, ("1234", "valid", None)),
        ("123", {"expected_format": r"\d{4}"}, ("123", "invalid", "format")),
        ("x1234", {"expected_format": r"\d{4}"}, ("x1234", "invalid", "format")),
        ("1234", {"expected_format": r"(?=1)\d{4}"}, ("1234", "pending", "unusable_format")),
        ("1234", {}, ("1234", "pending", "no_format")),
        ("03.02.2026", {"value_type": "date"}, ("2026-02-03", "valid", None)),
        ("O3.02.2026", {"value_type": "date"}, (None, "invalid", "not_a_date")),
        ("03.02.2026", {"value_type": "date", "expected_format": r"\d{4}.*"}, ("2026-02-03", "invalid", "format")),
        ("1,234.50", {"value_type": "amount"}, ("1234.50", "valid", None)),
        ("1,2E4.50", {"value_type": "amount"}, (None, "invalid", "not_an_amount")),
    ],
)
def test_status_says_what_is_known(text: str, changes: dict[str, Any], expected: tuple[Any, ...]) -> None:
    found = typed(text, **changes)

    assert (found["normalised_value"], found["validation_status"], found["reason"]) == expected
    assert found["text"] == text


def test_what_has_two_readings_is_pending() -> None:
    template = invoice(0)
    page = page_of(invoice(3))
    page = page._replace(words=[
        word._replace(text="01.02.2026" if word.text == invoice(3).fields["date"] else word.text) for word in page.words
    ])  # fmt: skip
    date = by_label(find(plan_of(template, date_order=None), {1: page}))[2]

    assert (date["text"], date["normalised_value"]) == ("01.02.2026", None)
    assert (date["validation_status"], date["reason"]) == ("pending", "ambiguous")


def test_word_below_the_threshold_makes_a_value_pending() -> None:
    template, page = invoice(0), page_of(invoice(7))
    number = invoice(7).fields["number"]
    words = [word._replace(confidence=0.59 if word.text == number else 0.9) for word in page.words]
    found = by_label(find(plan_of(template), {1: page._replace(words=words)}))
    assert (found[1]["validation_status"], found[1]["reason"], found[1]["confidence"]) == (
        "pending",
        "confidence",
        0.59,
    )
    assert found[2]["validation_status"] == "valid"
    lower = find(plan_of(template, confidence_threshold=0.5), {1: page._replace(words=words)})
    assert by_label(lower)[1]["validation_status"] == "valid"


def test_page_that_is_not_found_gives_nothing_unless_forced() -> None:
    template = invoice(0)
    other = Page(SIZE, [PlacedWord(text, Rectangle(*box)) for text, box in invoice(1).words[:3]])
    found = find(plan_of(template), {1: other})
    assert found.findings == []
    (result,) = found.pages
    assert (result["method"], result["needs_review"]) == ("none", True)
    assert "words" in (result["reason"] or "")

    full = page_of(invoice(1), degrees=40)
    assert find(plan_of(template), {1: full}).findings == []
    forced = find(plan_of(template, force=True), {1: full})
    assert forced.pages[0]["method"] == "position"
    assert forced.pages[0]["needs_review"]
    assert {one["validation_status"] for one in forced.findings} <= {"pending", "invalid"}


def test_template_without_a_source_is_placed_by_position_and_says_so() -> None:
    page = invoice(7)
    for changes in ({"anchors": {}}, {"use_feature_matching": False}):
        found = find(plan_of(invoice(0), **changes), {1: page_of(page)})
        assert [(result["method"], result["needs_review"]) for result in found.pages] == [("position", True)]
        assert "position" in (found.pages[0]["reason"] or "")
        assert [one["text"] for one in found.findings] == list(page.fields.values())
        # The place is not known to be right, so nothing is valid without a person.
        assert {one["validation_status"] for one in found.findings} == {"pending"}


def test_moved_field_is_pending_with_the_reason() -> None:
    plan = plan_of(invoice(4, total_moves=True))
    doubtful = 0
    for seed in range(1, 15):
        page = invoice(seed, total_moves=True)
        found = find(plan, {1: page_of(page)})
        for one in found.findings:
            if one["label_id"] == 4 and one["text"] != page.fields["total"]:
                assert one["validation_status"] in ("pending", "invalid")
                assert found.pages[0]["needs_review"]
                doubtful += 1
            if one["label_id"] == 1:
                assert one["validation_status"] == "valid"
    assert doubtful > 0


def test_pages_are_matched_by_their_number_or_every_page() -> None:
    first, second = invoice(0), invoice(0, 1)
    pages = {1: page_of(invoice(7)), 2: page_of(invoice(8, 1), degrees=5)}
    anchors = {
        number: Page(SIZE, [PlacedWord(text, Rectangle(*box)) for text, box in one.words])
        for number, one in ((1, first), (2, second))
    }
    of_second = [dataclasses.replace(label, id=label.id + 10, page=2) for label in labels_of(second)]
    found = find(plan_of(first, labels=labels_of(first) + of_second, anchors=anchors), pages)
    assert [(one["page"], one["text"]) for one in found.findings] == [
        *((1, text) for text in invoice(7).fields.values()),
        *((2, text) for text in invoice(8, 1).fields.values()),
    ]
    every = find(plan_of(first, labels=labels_of(first, every_page=True)), {1: pages[1], 2: page_of(invoice(9))})
    assert [(one["page"], one["text"]) for one in every.findings] == [
        *((1, text) for text in invoice(7).fields.values()),
        *((2, text) for text in invoice(9).fields.values()),
    ]
    # A document with fewer pages than the template lacks their values.
    assert {
        one["page"] for one in find(plan_of(first, labels=of_second, anchors=anchors), {1: pages[1]}).findings
    } == set()


def test_table_has_rows_by_their_height_and_cells_by_their_gaps() -> None:
    table = [("2", (60, 100, 8, 10)), ("Blue", (90, 101, 24, 10)), ("lamp", (117, 99, 24, 10)),
             ("9.00", (300, 100, 24, 10)),
             ("10", (60, 118, 12, 10)), ("Relay", (90, 118, 30, 10)), ("1.50", (300, 119, 24, 10))]  # fmt: skip
    template = dataclasses.replace(invoice(0), words=[word for word in invoice(0).words if word[1][1] > 200])
    words = [PlacedWord(text, Rectangle(*box)) for text, box in [*template.words, *table]]
    label = Label(9, "lines", 1, False, Rectangle(50 / SIZE[0], 95 / SIZE[1], 300 / SIZE[0], 40 / SIZE[1]), "table",
                  r"\d+ .+ \d+\.\d\d", True)  # fmt: skip
    (found,) = find(plan_of(template, labels=[label]), {1: Page(SIZE, words)}).findings
    assert found["normalised_value"] == [["2", "Blue lamp", "9.00"], ["10", "Relay", "1.50"]]
    assert found["text"] == "2 Blue lamp 9.00\n10 Relay 1.50"
    assert found["validation_status"] in ("valid", "pending")


def test_page_without_text_is_said_to_have_none() -> None:
    found = find(plan_of(invoice(0)), {1: Page(SIZE, [])})
    assert [(page["method"], page["reason"]) for page in found.pages] == [("none", "the page has no text")]
    assert found.findings == []
