"""Invoices as lists of words with exact boxes, and what a scanner does to them: shifts, scales, turns, lost words."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import Any

SIZE = (595.0, 842.0)
"""A4, in points."""
_MIDDLE = complex(SIZE[0] / 2, SIZE[1] / 2)
_PEOPLE = ("Anna", "Berta", "Carla", "Dora", "Emil", "Franz", "Gerd", "Hanna", "Ida", "Jan", "Kai", "Lena")
_GOODS = ("Widget", "Bolt", "Screw", "Cable", "Lamp", "Panel", "Motor", "Sensor", "Valve", "Pump", "Filter")

Box = tuple[float, float, float, float]
WordAt = tuple[str, Box]


@dataclass(frozen=True)
class Invoice:
    """The words of a page, and the text and the box (relative to the page) of each field."""

    words: list[WordAt]
    fields: dict[str, str]
    boxes: dict[str, Box]


def _line(text: str, x: float, y: float, size: float = 10) -> list[WordAt]:
    found = []
    for word in text.split():
        found.append((word, (x, y, len(word) * size * 0.5, size)))
        x += (len(word) * 0.5 + 0.3) * size
    return found


def invoice(seed: int, vendor: int = 0, *, total_moves: bool = False) -> Invoice:
    """Return an invoice. A vendor's invoices have one layout, unless their total follows their goods."""
    any_ = random.Random(seed)  # noqa: S311
    layout = random.Random(vendor)  # noqa: S311
    name, x, y = f"Vendor{vendor}", 330 + layout.uniform(0, 50), 150 + layout.uniform(0, 40)
    words = _line(f"{name} Trading Company", 50 + layout.uniform(0, 60), 40 + layout.uniform(0, 50), 14)
    words += _line("Telephone +49 30 1234567", 50, 110)
    words += _line(f"{any_.choice(_PEOPLE)} {any_.choice(_PEOPLE)}", 50, 160)
    words += _line(f"{any_.randint(10000, 99999)} Springfield", 50, 188)
    fields, boxes = {}, {}

    def add(field: str, caption: str, text: str, at: tuple[float, float], indent: float) -> None:
        words.extend(_line(caption, *at) + _line(text, at[0] + indent, at[1]))
        fields[field] = text
        boxes[field] = (
            (at[0] + indent - 3) / SIZE[0], (at[1] - 2) / SIZE[1], 80 / SIZE[0], 14 / SIZE[1],
        )  # fmt: skip

    add("number", "Invoice number", str(any_.randint(1000, 9999)), (x, y), 100)
    date = f"{any_.randint(1, 28):02}.{any_.randint(1, 12):02}.2026"
    add("date", "Invoice date", date, (x, y + 16), 100)
    add("customer", "Customer reference", f"K{any_.randint(100, 999)}", (x, y + 32), 100)
    words += _line("Position Description Quantity Price Amount", 50, 300)
    down, total = 318.0, 0
    for position in range(any_.randint(2, 8)):
        price, quantity = any_.randint(100, 9999), any_.randint(1, 9)
        total += price * quantity
        for text, across in ((str(position + 1), 50), (any_.choice(_GOODS), 90), (str(quantity), 220),
                             (f"{price / 100:.2f}", 300), (f"{price * quantity / 100:.2f}", 420)):  # fmt: skip
            words += _line(text, across, down)
        down += 16
    add("total", "Grand total", f"{total / 100:.2f}", (330, down + 16 if total_moves else 560), 90)
    words += _line("Please pay within 14 days without any deduction to the account below", 50, 700)
    words += _line(f"IBAN DE12 3456 7890 1234 5678 00 BIC ABCDEFGH {name} registered in Springfield", 50, 780, 8)
    return Invoice(words, fields, boxes)


def scanned(
    words: list[WordAt],
    seed: int = 0,
    *,
    scale: float = 1.0,
    degrees: float = 0.0,
    shift: complex = 0j,
    pixels: float = 1.0,
    lost: float = 0.0,
    misread: float = 0.0,
    unsteady: float = 0.0,
) -> list[dict[str, Any]]:
    """Return words as a page text has them, after the page was scaled, turned and shifted, at `pixels` a point.

    A share of the words is `lost`, another has one character `misread`; boxes are off by `unsteady` points.
    """
    any_ = random.Random(seed)  # noqa: S311
    turn = complex(math.cos(math.radians(degrees)), math.sin(math.radians(degrees)))
    across, down = abs(turn.real), abs(turn.imag)
    found: list[dict[str, Any]] = []
    for text, (x, y, width, height) in words:
        if any_.random() < lost:
            continue
        read = text
        if any_.random() < misread:
            place = any_.randrange(len(text))
            read = text[:place] + any_.choice("abdegilors0123456789") + text[place + 1 :]
        middle = (complex(x + width / 2, y + height / 2) - _MIDDLE) * turn * scale + _MIDDLE + shift
        middle += complex(any_.gauss(0, unsteady), any_.gauss(0, unsteady))
        # The upright box around the turned word.
        wide, high = (across * width + down * height) * scale, (down * width + across * height) * scale
        box = [middle.real - wide / 2, middle.imag - high / 2, wide, high]
        found.append({"text": read, "box": [side * pixels for side in box], "confidence": 0.95, "line": len(found)})
    return found
