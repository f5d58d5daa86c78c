"""What a text means: dates in ISO 8601, amounts as decimals. What can be read in two ways is not guessed."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Literal, NamedTuple

import dateparser

from data_processor.choices import DateOrder, DecimalSeparator, ValueType

Reason = Literal["ambiguous", "not_a_date", "not_an_amount"]

LANGUAGES = ("en", "de", "fr", "es", "it", "nl", "pt", "pl")
"""The languages whose names of months and days are read."""
_DATE_MAX = 40
_YEARS = (1900, 2199)
_YEAR_FIRST = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})")
_FOUR_DIGITS = re.compile(r"(?<!\d)\d{4}(?!\d)")
# dateparser takes the letter for a nought.
_LETTER_O = re.compile(r"(?<![^\W\d_])[oO](?=[\d./-])|(?<=\d)[oO](?=[\d./-])|(?<=\d{3})[oO](?!\w)")
_NAMED_MONTH = re.compile(r"[^\W\d_]{3}")

_AMOUNT_MAX = 40
_CURRENCY = (
    r"(?:(?:US|CA|AU|NZ|HK|S|C|A|R)?\$|[€£¥₣₤₦₩₪₫₱₴₸₹₺₽₿]|Kč|zł|kr\.?|Fr\.?|SFr\.?|Rs\.?|RM|lei|Ft|"
    r"EUR|USD|GBP|CHF|JPY|CNY|INR|AUD|CAD|NZD|SEK|NOK|DKK|PLN|CZK|HUF|RON|BGN|TRY|BRL|MXN|ZAR|SGD|HKD|KRW|MYR|THB|ILS)"
)
_AMOUNT = re.compile(
    rf"(?P<open>\()?(?P<sign>[-+−–] ?)?(?:{_CURRENCY} ?)?(?P<second>[-+−–] ?)?"
    rf"(?P<number>[0-9](?:[0-9.,'’ ]*[0-9])?)(?P<dash>[.,][-–—]{{1,2}})?"
    rf" ?(?P<after>[-−–])?(?: ?{_CURRENCY})?(?P<close>\))?"
)
_DECIMALS = re.compile(r"[0-9]*")
_MARK = re.compile(r"[^0-9]")
_MINUS = "-−–"


class Meaning(NamedTuple):
    """The normalised value of a text, or none and the reason."""

    value: str | list[list[str]] | None
    reason: Reason | None = None


class Value(NamedTuple):
    """A normalised value, or none and the reason."""

    value: str | None
    reason: Reason | None = None


def read(text: str, value_type: ValueType, order: DateOrder | None, separator: DecimalSeparator | None) -> Meaning:
    """Return what a text that a person wrote means. A row of a table is a line, whose cells cannot be told."""
    if value_type == "date":
        return Meaning(*read_date(text, order))
    if value_type == "amount":
        return Meaning(*read_amount(text, separator))
    if value_type == "table":
        return Meaning([[line.strip()] for line in text.splitlines() if line.strip()])
    return Meaning(text)


def read_date(text: str, order: DateOrder | None) -> Value:
    """Return a date as ISO 8601. The declared order decides only where several orders are possible."""
    plain = " ".join(text.split())
    if not plain or len(plain) > _DATE_MAX or not plain[0].isalnum() or _LETTER_O.search(plain):
        return Value(None, "not_a_date")
    if (first := _YEAR_FIRST.fullmatch(plain)) is not None:
        # A year of four digits that comes first is followed by month and day everywhere.
        return _iso(int(first[1]), int(first[3]), int(first[4]))
    orders: tuple[DateOrder, ...] = ("DMY", "MDY")
    if not (_FOUR_DIGITS.search(plain) or _NAMED_MONTH.search(plain)):
        orders = ("DMY", "MDY", "YMD")
    found = {one: read for one in orders if (read := _parsed(plain, one)) is not None}
    readings = set(found.values())
    if not readings:
        return Value(None, "not_a_date")
    if len(readings) == 1:
        return Value(readings.pop())
    return Value(found[order]) if order in found else Value(None, "ambiguous")


def _iso(year: int, month: int, day: int) -> Value:
    try:
        return Value(date(year, month, day).isoformat())
    except ValueError:
        return Value(None, "not_a_date")


@lru_cache(maxsize=4096)
def _parsed(text: str, order: DateOrder) -> str | None:
    moment = dateparser.parse(
        text,
        languages=list(LANGUAGES),
        settings={
            "DATE_ORDER": order,
            "PREFER_LOCALE_DATE_ORDER": False,
            "STRICT_PARSING": True,
            "REQUIRE_PARTS": ["day", "month", "year"],
            "PARSERS": ["absolute-time"],
            "RETURN_AS_TIMEZONE_AWARE": False,
        },
    )
    if moment is None or not _YEARS[0] <= moment.year <= _YEARS[1]:
        return None
    found: str = moment.date().isoformat()
    return found


def read_amount(text: str, separator: DecimalSeparator | None) -> Value:
    """Return an amount as a decimal. The declared separator decides only where both readings are possible."""
    plain = " ".join(text.split())
    found = _AMOUNT.fullmatch(plain) if len(plain) <= _AMOUNT_MAX else None
    if found is None or bool(found["open"]) != bool(found["close"]):
        return Value(None, "not_an_amount")
    signs = [sign for sign in (found["sign"], found["second"], found["after"], found["open"]) if sign]
    if len(signs) > 1:
        return Value(None, "not_an_amount")
    readings = {one: read for one in (".", ",") if (read := _number(found["number"], one)) is not None}
    if found["dash"]:
        # `12,-` is a whole number: there is no other decimal part.
        readings = {one: read for one, read in readings.items() if read == read.to_integral_value()}
    if not readings:
        return Value(None, "not_an_amount")
    if len(set(readings.values())) > 1 and separator not in readings:
        return Value(None, "ambiguous")
    number = readings[separator] if separator in readings else next(iter(readings.values()))
    negative = bool(signs) and signs[0][0] in f"{_MINUS}("
    return Value(format(-number if negative else number, "f"))


def _number(text: str, decimal: str) -> Decimal | None:
    """Return the number if `decimal` separates its decimals and one mark its thousands, if any does."""
    whole, _, decimals = text.partition(decimal)
    if not _DECIMALS.fullmatch(decimals) or text.endswith(decimal):
        return None
    groups = _MARK.split(whole)
    if groups[0].startswith("0") and whole != "0":
        return None
    if len(groups) > 1:
        first, *middle, last = groups
        threes = len(first) <= 3 and all(len(group) == 3 for group in middle)
        # As in India: lakhs and crores.
        twos = decimal == "." and "," in whole and len(first) <= 2 and all(len(group) == 2 for group in middle)
        if len(set(_MARK.findall(whole))) > 1 or len(last) != 3 or not (first and (threes or twos)):
            return None
    return Decimal("".join(groups) + (f".{decimals}" if decimals else ""))
