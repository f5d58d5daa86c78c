"""Pictures of pages with known words, as scanners and cameras make them."""
# ruff: noqa: S101  # these assertions are part of tests

from __future__ import annotations

import io
import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

LINES = (
    "Invoice 20417 from Harbour Supplies Limited",
    "Date of delivery 14 March 2026",
    "Order placed by Margaret Thornton",
    "Twelve folding chairs and two tables",
    "Payment within thirty days of receipt",
    "Total amount 1284.50 including tax",
)
WORDS = [word for line in LINES for word in line.split()]


@dataclass(frozen=True, slots=True)
class Page:
    """A picture, and the centre of each of its words, by its text."""

    picture: Image.Image
    centres: dict[str, tuple[float, float]]


def page(size: tuple[int, int] = (1000, 700), letters: int = 32, at: tuple[int, int] = (110, 90)) -> Page:
    """Return a white page with `LINES`."""
    picture = Image.new("L", size, 255)
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(letters)
    centres = {}
    for number, line in enumerate(LINES):
        x, y = float(at[0]), float(at[1] + number * letters * 2)
        for word in line.split():
            draw.text((x, y), word, font=font, fill=0)
            left, top, right, bottom = draw.textbbox((x, y), word, font=font)
            centres[word] = ((left + right) / 2, (top + bottom) / 2)
            x = right + letters / 3
    return Page(picture, centres)


def turned(page: Page, angle: float) -> Page:
    """Return a page that lies askew on a white scanner, by an angle anticlockwise."""
    picture = page.picture.rotate(angle, Image.Resampling.BICUBIC, expand=True, fillcolor=255)
    (old_x, old_y), (new_x, new_y) = ((side / 2 for side in one.size) for one in (page.picture, picture))
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    centres = {
        word: (
            new_x + (x - old_x) * cos + (y - old_y) * sin,
            new_y - (x - old_x) * sin + (y - old_y) * cos,
        )
        for word, (x, y) in page.centres.items()
    }
    return Page(picture, centres)


def require_near(found: dict[str, tuple[float, float]], expected: dict[str, tuple[float, float]], most: float) -> None:
    """Fail unless each word was found, and its centre is at most that far from where it is expected."""
    far = {word: (found[word], place) for word, place in expected.items() if math.dist(found[word], place) > most}
    assert not far


def speckled(picture: Image.Image, share: float = 0.01) -> Image.Image:
    """Return a picture of which a share of the pixels is black or white by chance."""
    pixels = np.array(picture)
    chance = np.random.default_rng(1).random(pixels.shape)
    pixels[chance < share / 2] = 0
    pixels[chance > 1 - share / 2] = 255
    return Image.fromarray(pixels)


def faint(picture: Image.Image, dark: int = 140, light: int = 205, grain: float = 4) -> Image.Image:
    """Return a picture as a worn printer and a grey scanner leave it: with little contrast, and grain."""
    pixels = dark + np.asarray(picture, dtype=np.float64) / 255 * (light - dark)
    noise = np.random.default_rng(1).normal(0, grain, pixels.shape)
    return Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8))


def encoded(picture: Image.Image, kind: str = "PNG", **save: object) -> bytes:
    """Return a picture as a file of Pillow's format `kind`."""
    out = io.BytesIO()
    picture.save(out, kind, **save)
    return out.getvalue()


def scanned_pdf(*pictures: Image.Image, dpi: int = 150) -> bytes:
    """Return a PDF whose pages are pictures, without any text layer."""
    out = io.BytesIO()
    pictures[0].save(out, "PDF", save_all=True, append_images=pictures[1:], resolution=dpi)
    return out.getvalue()
