"""Scans of documents: drawn at 200 dpi, turned, moved, scaled or spoilt, and stored in the formats of scanners."""

from __future__ import annotations

import cmath
import io
import math
import random
import time
from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
import pillow_heif
import pypdfium2
from PIL import Image, ImageFilter

Transform = Literal[
    "text layer", "filled form", "clean", "turned", "shifted", "scaled", "speckle", "blurred", "faint", "compressed"
]  # fmt: skip
DRAWN = frozenset[Transform]({"text layer", "filled form"})
"""What is no scan: values are text of the page, or of fields that a person filled in."""
Format = Literal["pdf", "png", "jpeg", "webp", "tiff", "heic"]

DPI = 200
_POINT = DPI / 72
TURN_MAX = 15.0
_WHITE = 255
_QUALITY = 90
_EPOCH = time.gmtime(0)

Box = tuple[float, float, float, float]
"""Left, top, width and height."""


class Place(NamedTuple):
    """Where a printed page lies on the page of its scan: a point x + iy is at `scale` times itself plus `shift`."""

    scale: complex
    shift: complex

    def around(self, box: Box) -> Box:
        """Return the smallest upright box around a box of the printed page."""
        x, y, width, height = box
        corners = [self.scale * complex(x + a * width, y + b * height) + self.shift for a in (0, 1) for b in (0, 1)]
        left, top = min(corner.real for corner in corners), min(corner.imag for corner in corners)
        right, bottom = max(corner.real for corner in corners), max(corner.imag for corner in corners)
        return left, top, right - left, bottom - top

    def times(self, factor: float) -> Place:
        """Return the place in other units of the scan."""
        return Place(self.scale * factor, self.shift * factor)


UNMOVED = Place(1, 0)


class Scan(NamedTuple):
    """The picture of a page, and where the printed page lies on it, in pixels of both."""

    picture: Image.Image
    place: Place = UNMOVED


class File(NamedTuple):
    """A file, and where each printed page lies on it: from points to the units of the file's pages."""

    content: bytes
    places: list[Place]


def formats(transform: Transform, pages: int) -> tuple[Format, ...]:
    """Return the formats in which a document can be stored after a transform."""
    if transform in DRAWN:
        return ("pdf",)
    several: tuple[Format, ...] = ("pdf", "tiff")
    single: tuple[Format, ...] = ("png", "jpeg", "webp", "heic")
    if transform == "compressed":
        several, single = ("pdf",), ("jpeg",)
    return several if pages > 1 else several + single


def scanned(pdf: bytes, transform: Transform, to: Format, chance: random.Random) -> File:
    """Return a scan of every page of a PDF, in one file."""
    document = pypdfium2.PdfDocument(pdf)
    pages = [_TRANSFORMS[transform](page.render(scale=_POINT).to_pil().convert("L"), chance) for page in document]
    document.close()
    quality = chance.randrange(12, 22) if transform == "compressed" else _QUALITY
    # A PDF's pages are measured in points, pictures in pixels.
    unit = 1 / _POINT if to == "pdf" else 1.0
    places = [Place(page.place.scale * _POINT, page.place.shift).times(unit) for page in pages]
    return File(encoded([page.picture for page in pages], to, quality), places)


def encoded(pages: list[Image.Image], to: Format, quality: int) -> bytes:
    """Return pages as one file."""
    out = io.BytesIO()
    first, *others = pages
    match to:
        case "png":
            first.save(out, "PNG", dpi=(DPI, DPI))
        case "tiff":
            options = {"compression": "tiff_adobe_deflate", "dpi": (DPI, DPI)}
            first.save(out, "TIFF", save_all=True, append_images=others, **options)
        case "pdf":
            moments = {"creationDate": _EPOCH, "modDate": _EPOCH}
            first.save(out, "PDF", save_all=True, append_images=others, resolution=DPI, quality=quality, **moments)
        case "heic":
            pillow_heif.from_pillow(first.convert("RGB")).save(out, quality=quality)
        case _:
            first.save(out, to.upper(), quality=quality)
    return out.getvalue()


def _clean(page: Image.Image, chance: random.Random) -> Scan:
    del chance
    return Scan(page)


def _turned(page: Image.Image, chance: random.Random) -> Scan:
    degrees = chance.choice((-1, 1)) * chance.uniform(1.0, TURN_MAX)
    picture = page.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=_WHITE)
    # Pillow turns anticlockwise about the centre; y counts downwards.
    turn = cmath.rect(1, -math.radians(degrees))
    return Scan(picture, Place(turn, complex(*picture.size) / 2 - turn * complex(*page.size) / 2))


def _shifted(page: Image.Image, chance: random.Random) -> Scan:
    moved = Image.new("L", page.size, _WHITE)
    across, down = (round(chance.choice((-1, 1)) * chance.uniform(0.015, 0.045) * side) for side in page.size)
    moved.paste(page, (across, down))
    return Scan(moved, Place(1, complex(across, down)))


def _scaled(page: Image.Image, chance: random.Random) -> Scan:
    """Return the page smaller or larger, and on paper of another size."""
    factor = chance.choice((chance.uniform(0.75, 0.92), chance.uniform(1.08, 1.3)))
    size = round(page.width * factor), round(page.height * factor)
    smaller = page.resize(size, Image.Resampling.LANCZOS)
    paper = Image.new("L", (max(page.width, size[0]), max(page.height, size[1])), _WHITE)
    corner = (paper.width - size[0]) // 2, (paper.height - size[1]) // 3
    paper.paste(smaller, corner)
    return Scan(paper, Place(factor, complex(*corner)))


def _speckle(page: Image.Image, chance: random.Random) -> Scan:
    """Return the page with single dark and light pixels."""
    noise = np.random.default_rng(chance.randrange(2**32))
    pixels = np.array(page)
    hit = noise.random(pixels.shape)
    pixels[hit < 0.006] = 40
    pixels[hit > 0.996] = 250
    return Scan(Image.fromarray(pixels))


def _blurred(page: Image.Image, chance: random.Random) -> Scan:
    return Scan(page.filter(ImageFilter.GaussianBlur(chance.uniform(0.9, 1.5))))


def _faint(page: Image.Image, chance: random.Random) -> Scan:
    """Return the page as a worn printer and a grey scanner leave it: with little contrast, and grain."""
    dark, light = chance.randrange(120, 160), chance.randrange(195, 225)
    noise = np.random.default_rng(chance.randrange(2**32))
    pixels = dark + np.asarray(page, dtype=np.float64) / 255 * (light - dark)
    return Scan(Image.fromarray(np.clip(pixels + noise.normal(0, 4, pixels.shape), 0, 255).astype(np.uint8)))


_TRANSFORMS: dict[Transform, Callable[[Image.Image, random.Random], Scan]] = {
    "clean": _clean,
    "turned": _turned,
    "shifted": _shifted,
    "scaled": _scaled,
    "speckle": _speckle,
    "blurred": _blurred,
    "faint": _faint,
    "compressed": _clean,
}
