"""PDFs as people have them: forms, damage that viewers overlook, large pages."""

from __future__ import annotations

import re

import pytest
from data_processor.documents.files import pdf
from data_processor.documents.files.broken import BrokenFileError
from data_processor.documents.files.words import Placed, in_reading_order
from data_processor_testkit import people_files, samples

FONT = "/Resources << /Font << /F 3 0 R >> >>"


def texts(data: bytes, number: int = 1) -> list[str]:
    """Return the lines of a page."""
    lines: dict[int, list[str]] = {}
    for word in pdf.words(data, number, 100_000):
        lines.setdefault(word["line"], []).append(word["text"])
    return [" ".join(lines[line]) for line in sorted(lines)]


def page_of(*shown: tuple[float, float, str], size: float = 12, height: int = 400) -> bytes:
    """Return a PDF of one page with texts at places, from the bottom left corner."""
    content = " ".join(f"BT /F {size} Tf {x} {y} Td ({text}) Tj ET" for x, y, text in shown)
    return samples.pdf([(f"[0 0 600 {height}]", content)])


@pytest.mark.parametrize("need_appearances", [True, False])
def test_values_of_a_form_are_words_of_its_page(need_appearances: bool) -> None:
    data = people_files.form(need_appearances=need_appearances)

    assert texts(data) == ["Total 42", "Jane Q Doe", "X Tromso"]
    words = {word["text"]: word["box"] for word in pdf.words(data, 1, 1000)}
    x, y, width, height = words["Jane"]
    assert 10 <= x < 20
    assert 30 <= y < y + height <= 50
    assert 15 < width < 50


def test_a_filled_form_is_drawn() -> None:
    empty = pdf.render(samples.pdf(), 1, 400, 10**6)
    filled = pdf.render(people_files.form(), 1, 400, 10**6)

    assert filled.size == (400, 200)
    written = (20, 60, 300, 100)
    assert empty.crop(written).getextrema() == ((255, 255),) * 3
    assert filled.crop(written).getextrema()[0][0] < 100


def test_text_drawn_twice_is_one_word() -> None:
    data = page_of((50, 300, "Total"), (50.4, 300, "Total"), (50, 280, "Total"), (50, 300.3, "Total"))

    assert texts(data) == ["Total", "Total"]


def test_lines_come_from_the_top_whatever_was_drawn_first() -> None:
    data = page_of((50, 100, "end"), (300, 300, "right"), (50, 300.5, "left"), (50, 200, "middle"))

    assert texts(data) == ["left right", "middle", "end"]


def test_columns_of_prose_are_read_one_after_the_other_and_tables_across() -> None:
    prose = [
        (x, 300 - 14 * row, f"{name} column row {row} goes on")
        for row in range(5)
        for x, name in ((50, "left"), (320, "right"))
    ]
    table = [(x, 150 - 14 * row, f"{name}{row}") for row in range(5) for x, name in ((50, "item"), (320, "price"))]
    lines = texts(
        page_of((50, 330, "A heading that spans both of the columns of the whole page, all across"), *prose, *table)
    )

    assert lines[0].startswith("A heading")
    assert [line.split()[0] for line in lines[1:11]] == ["left"] * 5 + ["right"] * 5
    assert lines[11:] == [f"item{row} price{row}" for row in range(5)]


def test_pages_full_of_words_are_read_in_a_moment() -> None:
    # Tables of many columns, and one word a thousand times, once made the work quadratic.
    table = [
        Placed(f"w{row % 7}", 9.0 * column, 9.0 * row, 9.0 * column + 4, 9.0 * row + 5)
        for row in range(60)
        for column in range(400)
    ]
    stack = [Placed("same", 0, 0, 10, 10)] * 20_000

    assert len(in_reading_order(table + stack)) == len(table) + 1


def test_words_of_a_turned_page_have_their_displayed_place() -> None:
    (word, other) = pdf.words(samples.pdf(extra=f"/Rotate 90 {FONT}"), 1, 1000)

    # Text at the top left corner, reading right, is displayed at the top right corner, reading down.
    x, y, width, height = word["box"]
    assert (word["text"], other["text"]) == ("Total", "42")
    assert 70 < x < 90
    assert (int(y), width < height) == (10, True)


@pytest.mark.parametrize("compressed", [False, True])
def test_user_unit_enlarges_sizes_and_boxes(compressed: bool) -> None:
    if compressed:
        data = people_files.compressed_pdf("/MediaBox [0 0 200 100] /UserUnit 2.5")
    else:
        data = samples.pdf(extra=f"/UserUnit 2.5 {FONT}")
        (plain, _), (enlarged, _) = (pdf.words(one, 1, 1000) for one in (samples.pdf(), data))
        assert enlarged["box"] == pytest.approx([2.5 * side for side in plain["box"]], abs=0.1)

    assert pdf.measure(data, 10).page_sizes == [(500, 250)]
    assert pdf.render(data, 1, 300, 10**6).size == (300, 150)


def test_a_long_page_is_taken_and_has_a_thumbnail() -> None:
    data = samples.pdf([("[0 0 200 90000]", "")])

    assert pdf.measure(data, 10).page_sizes == [(200, 90_000)]
    assert pdf.thumbnail(data, (320, 320)).height == 320


def shifted() -> bytes:
    data = samples.pdf()
    return data.replace(b"startxref\n", b"startxref\n1")


def counted_from_its_mark() -> bytes:
    """Return a PDF behind a byte order mark, whose writer counted positions from the mark."""
    moved = re.sub(rb"(\d{10})(?= 00000 n)", lambda at: b"%010d" % (int(at[1]) + 3), samples.pdf())
    return b"\xef\xbb\xbf" + re.sub(rb"(?<=startxref\n)\d+", lambda at: b"%d" % (int(at[0]) + 3), moved)


OPENED = {
    "whole": (samples.pdf(), []),
    "whole with a compressed cross-reference": (people_files.compressed_pdf("/MediaBox [0 0 9 9]"), []),
    "a few bytes after the end": (samples.pdf() + b"\0" * 5000 + b"\r\n\x1a", []),
    "3,000 bytes after the end": (samples.pdf() + b"<!-- proxy -->" * 220, ["bytes after its end"]),
    "byte order mark": (b"\xef\xbb\xbf" + samples.pdf(), ["byte order mark"]),
    "byte order mark that was counted": (counted_from_its_mark(), ["byte order mark"]),
    "bytes before the header": (b"From: scanner\r\n\r\n" + samples.pdf(), ["17 bytes before its header"]),
    "cross-reference elsewhere": (shifted(), ["its cross-reference is not at byte"]),
    "cross-reference a few bytes off": (
        samples.pdf().replace(b"00000 n", b"00001 n").replace(b"0000000", b"0000001"),
        ["wrong position of object 1"],
    ),
    "no cross-reference": (samples.pdf().replace(b"xref\n0", b"xxxx\n0"), ["its cross-reference is not at byte"]),
    "cut within its last line": (samples.pdf()[:-20], ["its end is missing"]),
    "cut within an update": (
        samples.pdf() + b"7 0 obj\n<< /Length 1000 >>\nstream\nhalf an upda",
        ["its end is missing"],
    ),
}


@pytest.mark.parametrize("name", OPENED)
def test_what_viewers_open_is_taken_and_its_damage_is_said(name: str) -> None:
    data, sentences = OPENED[name]
    damage = pdf.measure(data, 10).damage

    assert len(damage) == len(sentences), damage
    for said, expected in zip(damage, sentences, strict=True):
        assert expected in said


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7, 0.9])
def test_a_cut_pdf_that_no_viewer_opens_is_refused_with_the_reason(share: float) -> None:
    data = samples.pdf()

    with pytest.raises(BrokenFileError, match="it was cut off"):
        pdf.measure(data[: int(len(data) * share)], 10)


def test_a_missing_page_is_named() -> None:
    data = samples.pdf([("[0 0 9 9]", "")] * 2).replace(b"6 0 obj", b"9 0 obj")

    with pytest.raises(BrokenFileError, match="page 2"):
        pdf.measure(data, 10)
