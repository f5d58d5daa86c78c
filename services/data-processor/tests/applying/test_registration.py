"""Pages are found again by their words, and doubts are told."""

from __future__ import annotations

import cmath
import math
import random
from typing import Any

import pytest
from data_processor.applying import doubt, fields, registration
from data_processor.applying.registration import Registration, register
from data_processor.applying.words import PlacedWord, Rectangle
from data_processor_testkit.invoices import SIZE, Invoice, invoice, scanned

PIXELS = 2.5
PAGE = (SIZE[0] * PIXELS, SIZE[1] * PIXELS)


def boxes(template: Invoice) -> dict[str, Rectangle]:
    return {
        name: Rectangle(x * SIZE[0], y * SIZE[1], width * SIZE[0], height * SIZE[1])
        for name, (x, y, width, height) in template.boxes.items()
    }


def anchors_of(template: Invoice) -> list[PlacedWord]:
    words = [PlacedWord(text, Rectangle(*box)) for text, box in template.words]
    return [word for word in words if not any(box.holds(word.box.centre) for box in boxes(template).values())]


def on_page(page: Invoice, seed: int = 0, **how: Any) -> list[PlacedWord]:
    read = scanned(page.words, seed, pixels=PIXELS, **how)
    return [PlacedWord(word["text"], Rectangle(*word["box"]), word["confidence"]) for word in read]


def found(template: Invoice, words: list[PlacedWord]) -> Registration:
    return register(anchors_of(template), SIZE, words, PAGE)


def read(template: Invoice, words: list[PlacedWord], placed: Registration) -> dict[str, tuple[str | None, bool]]:
    """Return the text of each field, and whether its place is sure."""
    assert placed.transform is not None
    result = {}
    for name, box in boxes(template).items():
        field = fields.read(words, placed.transform, box)
        sure = doubt.of_place(box, anchors_of(template), SIZE[0], placed) is None
        result[name] = (field.text if field else None, sure)
    return result


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"shift": 55 - 40j},
        {"scale": 0.7},
        {"scale": 1.4},
        {"degrees": 15},
        {"degrees": -15},
        {"scale": 0.8, "degrees": 9, "shift": -30 + 25j, "unsteady": 0.7},
        {"degrees": 90},
        {"degrees": 180},
        {"degrees": -90},
    ],
    ids=str,
)
def test_page_that_is_moved_scaled_or_turned_has_the_same_values(how: dict[str, Any]) -> None:
    for seed in range(5):
        template, page = invoice(seed, seed), invoice(seed + 100, seed)
        words = on_page(page, seed, **how)
        placed = found(template, words)

        assert (placed.method, placed.needs_review) == ("anchors", False)
        assert placed.transform is not None
        assert abs(placed.transform.scale) == pytest.approx(how.get("scale", 1) * PIXELS, rel=0.01)
        turned = math.degrees(cmath.phase(placed.transform.scale)) - how.get("degrees", 0)
        assert (turned + 180) % 360 - 180 == pytest.approx(0, abs=0.5)
        assert read(template, words, placed) == {name: (text, True) for name, text in page.fields.items()}


def test_page_turned_further_is_not_placed() -> None:
    for degrees in (25, 45, -30):
        placed = found(invoice(0), on_page(invoice(1), degrees=degrees))
        assert (placed.method, placed.transform, placed.needs_review) == ("none", None, True)


def test_lost_and_misread_words_do_not_misplace_a_page() -> None:
    right = sure_and_wrong = unplaced = 0
    for seed in range(20):
        template, page = invoice(seed, seed), invoice(seed + 100, seed)
        how = random.Random(seed)
        degrees, scale = how.uniform(-15, 15), how.uniform(0.7, 1.3)
        words = on_page(page, seed, degrees=degrees, scale=scale, lost=0.5, misread=0.2, unsteady=1)
        placed = found(template, words)
        if placed.transform is None:
            unplaced += 1
            continue
        moved = complex(math.cos(math.radians(degrees)), math.sin(math.radians(degrees))) * scale * PIXELS
        middle = complex(*SIZE) / 2
        for box in boxes(template).values():
            expected = (box.centre - middle) * moved + middle * PIXELS
            near = abs(placed.transform.point(box.centre) - expected) < 0.5 * box.height * abs(moved)
            right += near
            sure_and_wrong += not near and doubt.of_place(box, anchors_of(template), SIZE[0], placed) is None
    assert (sure_and_wrong, unplaced) == (0, 0)
    assert right == 80


def test_few_shared_words_are_no_registration() -> None:
    template = invoice(0)
    words = on_page(invoice(1))[1:4]
    placed = found(template, words)
    assert (placed.method, placed.needs_review, placed.residual) == ("none", True, None)
    assert "at least 4 are needed" in (placed.reason or "")
    assert register([], SIZE, words, PAGE).method == register(anchors_of(template), SIZE, [], PAGE).method == "none"


def test_shuffled_words_do_not_agree() -> None:
    for seed in range(5):
        words = on_page(invoice(seed))
        places = [word.box for word in words]
        random.Random(seed).shuffle(places)
        shuffled = [word._replace(box=box) for word, box in zip(words, places, strict=True)]
        placed = found(invoice(seed), shuffled)
        assert (placed.method, placed.needs_review) == ("none", True)
        assert "agree" in (placed.reason or "")


def test_page_with_the_form_twice_is_ambiguous() -> None:
    template = invoice(0)
    small = [(text, (x * 0.5, y * 0.5, width * 0.5, height * 0.5)) for text, (x, y, width, height) in template.words]
    twice = small + [(text, (x, y + SIZE[1] / 2, width, height)) for text, (x, y, width, height) in small]
    words = on_page(Invoice(twice, {}, {}))
    placed = found(template, words)
    assert placed.needs_review
    assert "several places" in (placed.reason or "")


def test_field_that_moved_on_the_page_is_doubtful() -> None:
    wrong = 0
    for seed in range(20):
        template, page = invoice(seed, seed, total_moves=True), invoice(seed + 100, seed, total_moves=True)
        words = on_page(page)
        placed = found(template, words)
        assert placed.method == "anchors"
        total, sure = read(template, words, placed)["total"]
        assert total == page.fields["total"] or not sure
        wrong += total != page.fields["total"]
    assert wrong > 5


def test_form_of_another_vendor_gives_no_wrong_value_that_is_sure() -> None:
    for seed in range(20):
        template, page = invoice(seed, seed), invoice(seed + 100, seed + 50)
        words = on_page(page)
        placed = found(template, words)
        if placed.transform is None:
            continue
        for name, (text, sure) in read(template, words, placed).items():
            assert text in (page.fields[name], None) or not sure, (seed, name)


def test_result_is_always_the_same() -> None:
    words = on_page(invoice(1), degrees=7, lost=0.3, misread=0.2, unsteady=1)
    assert len({str(found(invoice(0), words)) for _ in range(3)}) == 1


def test_words_far_away_do_not_place_a_label() -> None:
    # Both lines of the anchors are at the top: a small error there is a large one at the bottom.
    top = [PlacedWord(text, Rectangle(50 + 40 * index, 40 + 12 * (index % 2), 30, 10))
           for index, text in enumerate(("alpha", "bravo", "charlie", "delta", "echo", "foxtrot"))]  # fmt: skip
    unsteady = random.Random(3)
    page = [word._replace(box=Rectangle(word.box.x + unsteady.gauss(0, 2), word.box.y + unsteady.gauss(0, 2), 30, 10))
            for word in top]  # fmt: skip
    placed = register(top, SIZE, page, SIZE)
    assert placed.method == "anchors"
    assert doubt.of_place(Rectangle(60, 800, 80, 12), top, SIZE[0], placed) is not None


def test_by_position_takes_boxes_as_they_are_and_says_so() -> None:
    placed = registration.by_position("as asked for")
    assert placed.transform is not None
    assert placed.transform.around(Rectangle(1, 2, 3, 4)) == Rectangle(1, 2, 3, 4)
    assert (placed.method, placed.needs_review, placed.reason) == ("position", True, "as asked for")
