"""Values as people write them, each with what it means."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Literal

ValueType = Literal["text", "date", "amount", "table"]
DateOrder = Literal["DMY", "MDY", "YMD"]
Separator = Literal[".", ","]
Meaning = str | list[list[str]] | None

_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
FIRST_NAMES = ("Ada", "Emil", "Carla", "Hugo", "Irene", "Jonas", "Laura", "Marek", "Nadia", "Oscar", "Paula", "Viktor")
LAST_NAMES = (
    "Abbott", "Becker", "Carvalho", "Dumont", "Eriksson", "Fischer", "Garcia", "Hofmann", "Keller", "Lambert",
    "Moreau", "Novak", "Peters", "Santos", "Visser", "Winter",
)  # fmt: skip
STREETS = ("Mill Lane", "Harbour Road", "Station Street", "Garden Row", "Church Square", "Bridge Street")
TOWNS = ("Bremen", "Leiden", "Lyon", "Geneva", "Bristol", "Boston", "Porto", "Trieste")
ARTICLES = (
    "Cable", "Desk lamp", "Filter", "Gasket set", "Hinge", "Ink black", "Keyboard", "Monitor arm", "Notebook",
    "Paper A4", "Printer", "Screws", "Toner", "Wall socket",
)  # fmt: skip
GROCERIES = (
    "Apples",
    "Bread",
    "Butter",
    "Cheese",
    "Coffee",
    "Honey",
    "Milk",
    "Olives",
    "Pasta",
    "Rice",
    "Tea",
    "Yogurt",
)
ENGLISH = (
    "Thank you for your message, which reached us last week.",
    "We have checked the documents that you sent to our office.",
    "Please keep this letter together with your other papers.",
    "Our department will contact you if anything is unclear.",
    "The conditions of the agreement remain as they were before.",
    "You may also reach us by telephone on working days.",
    "A copy of this letter was sent to your local branch.",
    "If you have moved, please tell us your new address soon.",
)
DUTCH = (
    "Wij hebben uw brief ontvangen en zorgvuldig gelezen.",
    "De gegevens zijn vergeleken met die van de belastingdienst.",
    "Bewaar deze beslissing goed bij uw andere papieren.",
    "Heeft u vragen, bel dan gerust met onze medewerkers.",
    "Het loket is geopend van maandag tot en met donderdag.",
    "Een kopie ligt ter inzage op het stadhuis.",
    "Verhuist u binnenkort, geef dat dan tijdig door.",
    "Uw rechten en plichten blijven verder gelijk.",
)


@dataclass(frozen=True, slots=True)
class Value:
    """What is written, and its normalised value. `None` as text: nothing is written."""

    text: str | None
    meaning: Meaning


Maker = Callable[[random.Random], Value]
"""Makes a value."""


def plain(text: str) -> Value:
    """Return a text, which means itself."""
    return Value(text, text)


def code(prefix: str, digits: int) -> Maker:
    """Return a maker of numbers such as INV-204711."""
    return lambda chance: plain(prefix + "".join(str(chance.randrange(10)) for _ in range(digits)))


def name(chance: random.Random) -> Value:
    """Return a name."""
    return plain(f"{chance.choice(FIRST_NAMES)} {chance.choice(LAST_NAMES)}")


def dated(pattern: str, *, is_ambiguous: bool = False) -> Maker:
    """Return a maker of dates, written as `pattern` says: strftime's, and %B in English on every machine.

    `is_ambiguous`: the template does not declare which of day and month comes first, so some mean nothing for sure.
    """

    def make(chance: random.Random) -> Value:
        day = date(2019, 1, 1) + timedelta(days=chance.randrange(3000))
        text = day.strftime(pattern.replace("%B", _MONTHS[day.month - 1]).replace("%-d", str(day.day)))
        unclear = is_ambiguous and day.day <= 12 and day.day != day.month
        return Value(text, None if unclear else day.isoformat())

    return make


def money(thousands: str, decimal: str, *, before: str = "", after: str = "", most: int = 40_000) -> Maker:
    """Return a maker of amounts with these separators, and a currency, and perhaps a minus, before or after."""
    minus = "-" if "-" in before else ""

    def make(chance: random.Random) -> Value:
        amount = Decimal(chance.randrange(100, most * 100)) / 100
        return Value(before + written(amount, thousands, decimal) + after, f"{minus}{amount:.2f}")

    return make


def written(amount: Decimal, thousands: str, decimal: str) -> str:
    """Return an amount with these separators."""
    return f"{amount:,.2f}".replace(",", "\0").replace(".", decimal).replace("\0", thousands)


def rows(articles: tuple[str, ...], thousands: str, decimal: str, most: int) -> Maker:
    """Return a maker of tables: article, quantity, price."""

    def make(chance: random.Random) -> Value:
        table = [
            [
                article,
                str(chance.randrange(2, 60)),
                written(Decimal(chance.randrange(150, 90_000)) / 100, thousands, decimal),
            ]
            for article in chance.sample(articles, chance.randrange(2, most + 1))
        ]
        return Value("\n".join(" ".join(row) for row in table), table)  # type: ignore[arg-type]

    return make
