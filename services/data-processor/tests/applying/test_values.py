"""Dates and amounts: what is read, and what is said to be ambiguous or neither."""

from __future__ import annotations

import pytest
from data_processor.applying.values import read_amount, read_date


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-02-03", "2026-02-03"),
        ("2026/2/3", "2026-02-03"),
        ("13.02.2026", "2026-02-13"),
        ("02/13/2026", "2026-02-13"),
        ("03.03.2026", "2026-03-03"),
        ("3 February 2026", "2026-02-03"),
        ("Feb 3rd, 2026", "2026-02-03"),
        ("Montag, 3. Februar 2026", "2026-02-03"),
        ("1er mars 2026", "2026-03-01"),
        ("30 de noviembre de 2026", "2026-11-30"),
        ("5. sierpnia 2026", "2026-08-05"),
        ("3  Mar \n 2026", "2026-03-03"),
    ],
)
def test_date_that_has_one_reading(text: str, expected: str) -> None:
    for order in (None, "DMY", "MDY", "YMD"):
        assert read_date(text, order) == (expected, None)


@pytest.mark.parametrize(
    ("text", "dmy", "mdy"),
    [("01.02.2026", "2026-02-01", "2026-01-02"), ("1/2/2026", "2026-02-01", "2026-01-02")],
)
def test_declared_order_decides_between_two_readings(text: str, dmy: str, mdy: str) -> None:
    assert read_date(text, "DMY") == (dmy, None)
    assert read_date(text, "MDY") == (mdy, None)
    for undecided in (None, "YMD"):
        assert read_date(text, undecided) == (None, "ambiguous")


def test_year_of_two_digits_may_come_first() -> None:
    assert read_date("11.12.26", None) == (None, "ambiguous")
    assert [read_date("11.12.26", order).value for order in ("DMY", "MDY", "YMD")] == [
        "2026-12-11", "2026-11-12", "2011-12-26",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    ["", "12", "2026", "02 2026", "12.11", "10:30", "INV-2026-0012", "1,234.50", "29.02.2025", "2026-02-30", "l.2.2026",
     "O3.02.2026", "1O.02.2026", "10.O2.2026", "10.02.2O26", "10.02.202O",
     "today", "tomorrow", "1.2.3.2026", "20.12.2026 20.11.2026", "Due 3 March 2026", "-1.2.2026", "1.2.0000",
     "9" * 5000, "3 March 2026 " * 20],
)  # fmt: skip
def test_what_is_no_date_is_not_guessed(text: str) -> None:
    for order in (None, "DMY"):
        assert read_date(text, order) == (None, "not_a_date")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12.50", "12.50"),
        ("12,50", "12.50"),
        ("1.234,50", "1234.50"),
        ("1,234.50", "1234.50"),
        ("-1.234,50", "-1234.50"),
        ("1 234,50 €", "1234.50"),
        ("1\u202f234,50", "1234.50"),
        ("CHF 1'234.50", "1234.50"),
        ("1.234.567", "1234567"),
        ("1,23,456.78", "123456.78"),
        ("(12.00)", "-12.00"),
        ("12.00-", "-12.00"),
        ("−12.00", "-12.00"),
        ("-$5.00", "-5.00"),
        ("$ -5", "-5"),
        ("US$ 5.00", "5.00"),
        ("0,123", "0.123"),
        ("12,-", "12"),
        ("0.00", "0.00"),
        ("99999999999999999999.99", "99999999999999999999.99"),
    ],
)
def test_amount_that_has_one_reading(text: str, expected: str) -> None:
    for separator in (None, ".", ","):
        assert read_amount(text, separator) == (expected, None)


def test_declared_separator_decides_between_two_readings() -> None:
    for text, point, comma in (("1.234", "1.234", "1234"), ("-1,234 EUR", "-1234", "-1.234")):
        assert read_amount(text, None) == (None, "ambiguous")
        assert read_amount(text, ".") == (point, None)
        assert read_amount(text, ",") == (comma, None)


@pytest.mark.parametrize(
    "text",
    ["", "€", "Total 5", "12..5", "1.23.456", "01.234", "007", "1,,234", "1, 234", "12 50", "1.000.00", "9.99,99",
     "S00.00", "l2.00", "1O.00", "12 %", "1e5", "(5", "(-5)", "- 5 -", "3 EUR 4", "2026-01-02", "٣٤", "1" * 41, "5 kg",
     "1 2 3", "NaN", "Infinity", "0x10", "1_000"],
)  # fmt: skip
def test_what_is_no_amount_is_not_guessed(text: str) -> None:
    for separator in (None, ".", ","):
        assert read_amount(text, separator) == (None, "not_an_amount")
