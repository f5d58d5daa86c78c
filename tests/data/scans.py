"""Scans of documents: drawn at 200 dpi, turned, moved, scaled or spoilt, and stored in the formats of scanners."""

from __future__ import annotations

import io
import random
import time
from collections.abc import Callable
from typing import Literal

import numpy as np
import pillow_heif
import pypdfium2
from PIL import Image, ImageFilter

Transform = Literal[
    "text layer", "clean", "turned", "shifted", "scaled", "speckle", "blurred", "faint", "compressed"
]  # fmt: skip
Format = Literal["pdf", "png", "jpeg", "webp", "tiff", "heic"]

DPI = 200
TURN_MAX = 15.0
_WHITE = 255
_QUALITY = 90
_EPOCH = time.gmtime(0)


def formats(transform: Transform, pages: int) -> tuple[Format, ...]:
    """Return the formats in which a document can be stored after a transform."""
    if transform == "text layer":
        return ("pdf",)
    several: tuple[Format, ...] = ("pdf", "tiff")
    single: tuple[Format, ...] = ("png", "jpeg", "webp", "heic")
    if transform == "compressed":
        several, single = ("pdf",), ("jpeg",)
    return several if pages > 1 else several + single


def scanned(pdf: bytes, transform: Transform, to: Format, chance: random.Random) -> bytes:
    """Return a scan of every page of a PDF, in one file."""
    document = pypdfium2.PdfDocument(pdf)
    pages = [_TRANSFORMS[transform](page.render(scale=DPI / 72).to_pil().convert("L"), chance) for page in document]
    document.close()
    quality = chance.randrange(12, 22) if transform == "compressed" else _QUALITY
    return encoded(pages, to, quality)


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


def _clean(page: Image.Image, chance: random.Random) -> Image.Image:
    del chance
    return page


def _turned(page: Image.Image, chance: random.Random) -> Image.Image:
    degrees = chance.choice((-1, 1)) * chance.uniform(1.0, TURN_MAX)
    return page.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=_WHITE)


def _shifted(page: Image.Image, chance: random.Random) -> Image.Image:
    moved = Image.new("L", page.size, _WHITE)
    across, down = (round(chance.choice((-1, 1)) * chance.uniform(0.015, 0.045) * side) for side in page.size)
    moved.paste(page, (across, down))
    return moved


def _scaled(page: Image.Image, chance: random.Random) -> Image.Image:
    """Return the page smaller or larger, and on paper of another size."""
    factor = chance.choice((chance.uniform(0.75, 0.92), chance.uniform(1.08, 1.3)))
    size = round(page.width * factor), round(page.height * factor)
    smaller = page.resize(size, Image.Resampling.LANCZOS)
    paper = Image.new("L", (max(page.width, size[0]), max(page.height, size[1])), _WHITE)
    paper.paste(smaller, ((paper.width - size[0]) // 2, (paper.height - size[1]) // 3))
    return paper


def _speckle(page: Image.Image, chance: random.Random) -> Image.Image:
    """Return the page with single dark and light pixels."""
    noise = np.random.default_rng(chance.randrange(2**32))
    pixels = np.array(page)
    hit = noise.random(pixels.shape)
    pixels[hit < 0.006] = 40
    pixels[hit > 0.996] = 250
    return Image.fromarray(pixels)


def _blurred(page: Image.Image, chance: random.Random) -> Image.Image:
    return page.filter(ImageFilter.GaussianBlur(chance.uniform(0.9, 1.5)))


def _faint(page: Image.Image, chance: random.Random) -> Image.Image:
    """Return the page as a worn printer and a grey scanner leave it: with little contrast, and grain."""
    dark, light = chance.randrange(120, 160), chance.randrange(195, 225)
    noise = np.random.default_rng(chance.randrange(2**32))
    pixels = dark + np.asarray(page, dtype=np.float64) / 255 * (light - dark)
    return Image.fromarray(np.clip(pixels + noise.normal(0, 4, pixels.shape), 0, 255).astype(np.uint8))


_TRANSFORMS: dict[Transform, Callable[[Image.Image, random.Random], Image.Image]] = {
    "clean": _clean,
    "turned": _turned,
    "shifted": _shifted,
    "scaled": _scaled,
    "speckle": _speckle,
    "blurred": _blurred,
    "faint": _faint,
    "compressed": _clean,
}
