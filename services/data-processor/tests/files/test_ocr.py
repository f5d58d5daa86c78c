"""The words of scanned pages, in the pixels of the scan."""

from __future__ import annotations

import pytest
from data_processor.documents.files import ocr, scans
from data_processor.documents.files.ocr import Recognised
from data_processor_testkit import scans as pages
from PIL import Image, ImageDraw, ImageFont, ImageOps

NEAR = 4.0
"""Pixels between the centre of a word and where it was found."""


def texts(found: Recognised) -> list[str]:
    return [word["text"] for word in found.words]


def centres(found: Recognised) -> dict[str, tuple[float, float]]:
    boxes = {word["text"]: word["box"] for word in found.words}
    return {text: (x + width / 2, y + height / 2) for text, (x, y, width, height) in boxes.items()}


def test_words_have_their_place_line_and_confidence() -> None:
    page = pages.page()

    found = ocr.read(page.picture)

    assert texts(found) == pages.WORDS
    assert [word["line"] for word in found.words] == [
        number for number, line in enumerate(pages.LINES) for _ in line.split()
    ]
    assert all(0.8 < word["confidence"] <= 1 for word in found.words)
    assert found.angle == 0
    pages.require_near(centres(found), page.centres, NEAR)


@pytest.mark.parametrize("angle", [-15, -8, 0.7, 5, 12.3])
def test_a_turned_page_is_read_and_its_boxes_are_those_of_the_turned_page(angle: float) -> None:
    page = pages.turned(pages.page(), angle)

    found = ocr.read(page.picture)

    assert texts(found) == pages.WORDS
    assert found.angle == pytest.approx(-angle, abs=0.2)
    pages.require_near(centres(found), page.centres, NEAR)


@pytest.mark.parametrize("angle", [90, 180, 274])
def test_a_page_on_its_side_or_its_head_is_read(angle: float) -> None:
    page = pages.turned(pages.page(), angle)

    found = ocr.read(page.picture)

    assert sorted(texts(found)) == sorted(pages.WORDS)
    pages.require_near(centres(found), page.centres, NEAR)


def test_speckle_is_removed_and_nothing_else() -> None:
    page = pages.page().picture

    assert texts(ocr.read(pages.speckled(page))) == pages.WORDS
    large = page.resize((3500, 2450))
    assert scans.prepared(large)[0] is large


def test_light_letters_on_black_are_read() -> None:
    assert texts(ocr.read(ImageOps.invert(pages.page().picture))) == pages.WORDS


def test_small_letters_are_enlarged_and_large_pictures_reduced() -> None:
    small = pages.page((420, 280), letters=11, at=(20, 20))
    large = pages.page((6000, 4000), letters=170, at=(300, 300))

    for page in (small, large):
        found = ocr.read(page.picture)
        assert texts(found) == pages.WORDS
        pages.require_near(centres(found), page.centres, NEAR * max(1.0, page.picture.width / 1000))


@pytest.mark.parametrize(
    ("size", "scale"),
    [
        ((420, 280), 2),
        ((1654, 2339), 1.5),
        ((1240, 1754), 1.5),
        ((2480, 3508), 1),
        ((2300, 3250), 1),
        ((6000, 6000), 0.5),
    ],
    ids=["small", "A4 at 200 dpi", "A4 at 150 dpi", "A4 at 300 dpi", "nearly as large", "a photo"],
)
def test_letters_of_scans_become_large_enough_within_a_bound(size: tuple[int, int], scale: float) -> None:
    grey, by = scans.prepared(Image.new("L", size, 255))

    assert by == pytest.approx(scale)
    assert grey.size == tuple(round(side * by) for side in size)


def test_a_worn_print_on_a_grey_scan_is_read() -> None:
    rows = [
        ("Coffee", "17", "410.41"),
        ("Honey", "20", "665.15"),
        ("Tea", "15", "578.59"),
        ("Olives", "57", "765.24"),
        ("Cheese", "7", "7,587.17"),
    ]
    cells = [
        (x, 60.0 + 45 * number, cell)
        for number, row in enumerate(rows)
        for x, cell in zip((40, 300, 460), row, strict=True)
    ]
    sheet = written(*cells).crop((0, 0, 640, 400))

    found = ocr.read(pages.faint(sheet))

    assert texts(found) == " ".join(" ".join(row) for row in rows).split()


def test_transparent_pixels_are_paper() -> None:
    page = pages.page().picture
    letters = Image.new("RGBA", page.size, (0, 0, 0, 0))
    letters.paste((0, 0, 0, 255), mask=ImageOps.invert(page))

    assert texts(ocr.read(letters)) == pages.WORDS


@pytest.mark.parametrize(
    "picture",
    [
        Image.new("L", (900, 700), 0),
        Image.new("RGB", (900, 700), "white"),
        Image.new("L", (1, 1)),
        Image.new("L", (60_000, 3)),
        Image.effect_noise((900, 700), 90),
    ],
    ids=["black", "white", "one pixel", "a line", "noise"],
)
def test_a_picture_without_text_has_few_words_and_is_no_error(picture: Image.Image) -> None:
    assert len(ocr.read(picture).words) < 5


def written(*lines: tuple[float, float, str]) -> Image.Image:
    picture = Image.new("L", (1650, 1000), 255)
    draw = ImageDraw.Draw(picture)
    for x, y, text in lines:
        draw.text((x, y), text, font=ImageFont.load_default(28), fill=0)
    return picture


def test_digits_that_stand_alone_in_a_column_are_read() -> None:
    rows = [
        ("Cable", "7", "458,56"),
        ("Gasket set", "3", "328,11"),
        ("Notebook", "8", "536,30"),
        ("Hinge", "5", "84,19"),
    ]
    cells = [
        (x, 100.0 + 45 * number, cell)
        for number, row in enumerate(rows)
        for x, cell in zip((150, 980, 1400), row, strict=True)
    ]

    found = ocr.read(written(*cells))

    assert texts(found) == " ".join(" ".join(row) for row in rows).split()


def test_columns_of_prose_are_read_one_after_the_other() -> None:
    left = [
        "Please keep this letter well",
        "We have moved to another place",
        "Our office opens every day",
        "You may also call us today",
    ]
    right = [
        "The harbour was full of boats",
        "Many people came to see them",
        "Some of them had sailed far",
        "They told long stories after",
    ]
    lines = [(x, 100.0 + 45 * row, text) for x, side in ((100, left), (900, right)) for row, text in enumerate(side)]

    found = ocr.read(written(*lines))

    assert texts(found) == " ".join(left + right).split()
    assert len({word["line"] for word in found.words}) == len(left + right)


def test_the_outline_of_a_field_is_no_text() -> None:
    picture = written(
        (150, 110, "Policy number"), (620, 110, "PL76920535"), (150, 210, "Full name"), (620, 210, "Oscar")
    )
    draw = ImageDraw.Draw(picture)
    for top in (95, 195):
        draw.rectangle((600, top, 1000, top + 62), outline=90, width=2)

    assert texts(ocr.read(picture)) == ["Policy", "number", "PL76920535", "Full", "name", "Oscar"]
