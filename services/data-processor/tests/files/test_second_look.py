"""Doubtful words are read again, alone, and the readings vote."""

from __future__ import annotations

import pytest
from data_processor.documents.files import second_look
from data_processor.documents.files.read_words import Word
from PIL import Image, ImageDraw, ImageFont

LETTERS = 40
ROW = 60
TEXTS = ["7,587.17", "Gasket", "Thornton", "57"]


def page(texts: list[str]) -> tuple[Image.Image, list[list[float]]]:
    """Return a page with a text on each line, and their boxes."""
    picture = Image.new("L", (400, ROW * (len(texts) + 1)), 255)
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(LETTERS)
    boxes: list[list[float]] = []
    for number, text in enumerate(texts):
        place = (50, 20 + ROW * number)
        draw.text(place, text, font=font, fill=0)
        left, top, right, bottom = draw.textbbox(place, text, font=font)
        boxes.append([left, top, right - left, bottom - top])
    return picture, boxes


def word(text: str, box: list[float], confidence: float, line: int = 0) -> Word:
    return {"text": text, "box": box, "confidence": confidence, "line": line}


def test_a_doubtful_word_gets_the_text_that_most_readings_agree_on() -> None:
    picture, boxes = page(TEXTS)

    found = second_look.surer(picture, [word("LDOLAL", box, 0.1, line) for line, box in enumerate(boxes)])

    assert [one["text"] for one in found] == TEXTS
    assert [one["box"] for one in found] == boxes
    assert [one["line"] for one in found] == list(range(len(TEXTS)))
    assert all(0.6 < one["confidence"] <= 1 for one in found)


def test_a_word_that_is_sure_is_not_read_again() -> None:
    picture, (box,) = page(["Gasket"])
    sure = word("Basket", box, 0.9)

    assert second_look.surer(picture, [sure]) == [sure]


def test_one_that_the_other_readings_contradict_becomes_less_sure() -> None:
    picture, (box,) = page(["Gasket"])

    (found,) = second_look.surer(picture, [word("Gas", box, 0.8)])

    assert found["text"] == "Gasket"
    assert found["confidence"] < 0.95


def test_the_words_that_are_least_sure_are_read_first_and_not_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second_look, "_WORDS_MAX", 2)
    picture, boxes = page(TEXTS)
    words = [word("?", box, confidence) for box, confidence in zip(boxes, (0.3, 0.1, 0.8, 0.2), strict=True)]

    assert [one["text"] for one in second_look.surer(picture, words)] == ["?", "Gasket", "?", "57"]


@pytest.mark.parametrize("box", [[0, 0, 400, 120], [399, 119, 1, 1], [0, 0, 0, 0], [10, 10, 2, 1]])
def test_a_place_without_text_leaves_the_word_as_it_is(box: list[float]) -> None:
    blank = word("x", box, 0.4)

    assert second_look.surer(Image.new("L", (400, 120), 255), [blank]) == [blank]


def halves(whole: Word, gap: float = 4.0) -> list[Word]:
    """Return the number as two words, split in its middle."""
    x, y, width, height = whole["box"]
    text, half = whole["text"], width / 2
    cut = text.index(",") + 1
    return [
        {**whole, "text": text[:cut], "box": [x, y, half - gap, height]},
        {**whole, "text": text[cut:], "box": [x + half, y, half, height]},
    ]


def test_a_number_that_is_split_after_its_comma_is_read_as_one_word() -> None:
    picture, (box,) = page(["1.284,50"])

    (found,) = second_look.surer(picture, halves(word("1.284,50", box, 0.1)))

    assert (found["text"], found["box"]) == ("1.284,50", box)
    assert found["confidence"] > 0.6


@pytest.mark.parametrize(("confidence", "gap"), [(0.9, 4.0), (0.1, 30.0)], ids=["both sure", "a space between them"])
def test_two_numbers_stay_two_words(confidence: float, gap: float) -> None:
    picture, (box,) = page(["1.284, 50"])

    found = second_look.surer(picture, halves(word("1.284,50", box, confidence), gap))

    assert len(found) == 2
