"""A filled form, as a PDF with a text layer or as a scan: straight, shifted, scaled or turned."""

from __future__ import annotations

import math
from io import BytesIO
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from plumbline.verification.checks import samples

SIZE = (420, 300)
"""In points."""
_HEIGHT = 14
_PIXELS = 3
_CAPTIONS = (
    ("Harbour Trading Company", 30, 30), ("Warehouse Street seven", 30, 50), ("Order number", 30, 100),
    ("Delivery date", 30, 125), ("Amount payable", 30, 150), ("Signature of receiver", 220, 100),
    ("Goods remain property until payment", 30, 230), ("Please return within thirty days", 30, 250),
)  # fmt: skip
_FIELDS = {"number": (150, 100), "date": (150, 125), "amount": (150, 150)}
LABELS: list[dict[str, Any]] = [
    {
        "name": name, "label_type": kind, "colour": "#112233", "page": 1, "required": True, "expected_format": pattern,
        "bounding_box": {"x": (x - 3) / SIZE[0], "y": (y - 3) / SIZE[1], "width": 66 / SIZE[0], "height": 20 / SIZE[1]},
    }
    for (name, (x, y)), kind, pattern in zip(
        _FIELDS.items(), ("field", "date", "amount"), (r"[0-9]{5}", None, None), strict=True
    )
]  # fmt: skip
"""The labels of a template of the form."""
VALUES = {"number": "20417", "date": "24.12.2026", "amount": "1.284,50"}
NORMALISED = {"number": "20417", "date": "2026-12-24", "amount": "1284.50"}
"""What the values mean where a comma separates decimals."""


def _texts(values: dict[str, str]) -> list[tuple[str, int, int]]:
    return [*_CAPTIONS, *((values[name], x, y) for name, (x, y) in _FIELDS.items())]


def pdf(values: dict[str, str], *, degrees: float = 0, scale: float = 1, shift: tuple[float, float] = (0, 0)) -> bytes:
    """Return the form as a PDF whose text is turned clockwise around the middle, scaled, and shifted right and down."""
    cos, sin = scale * math.cos(math.radians(degrees)), scale * math.sin(math.radians(degrees))
    across, down = SIZE[0] / 2, SIZE[1] / 2
    left = across - cos * across - sin * down + shift[0]
    bottom = down + sin * across - cos * down - shift[1]
    drawn = " ".join(
        f"BT /F1 {_HEIGHT * 0.75:g} Tf 1 0 0 1 {x} {SIZE[1] - y - _HEIGHT * 0.75:g} Tm ({text}) Tj ET"
        for text, x, y in _texts(values)
    )
    matrix = f"{cos:.5f} {-sin:.5f} {sin:.5f} {cos:.5f} {left:.3f} {bottom:.3f} cm"
    return samples.pdf_drawing(f"q {matrix} {drawn} Q", *SIZE)


def scan(values: dict[str, str], degrees: float = 0) -> bytes:
    """Return the form as a picture that is turned clockwise around its middle."""
    picture = Image.new("L", (SIZE[0] * _PIXELS, SIZE[1] * _PIXELS), 255)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(_HEIGHT * _PIXELS * 0.75)
    for text, x, y in _texts(values):
        draw.text((x * _PIXELS, y * _PIXELS), text, font=font, fill=0)
    out = BytesIO()
    picture.rotate(-degrees, Image.Resampling.BICUBIC, fillcolor=255).save(out, "PNG")
    return out.getvalue()
