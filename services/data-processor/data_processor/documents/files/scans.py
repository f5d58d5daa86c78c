"""Prepare the picture of a page for OCR: grey, of a useful size, without speckle, with level lines.

Tesseract finds half of the words on a page that is turned by 8 degrees, and almost none at 12. A median filter helps on
speckle, and costs words everywhere else.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from data_processor.documents.files import colour

_PIXELS_MAX = 9_000_000
"""An A4 page at 300 dpi. More pixels cost time and find no further words."""
_SIDE_MAX = 20_000
"""Tesseract refuses pictures of more than 32,767 pixels on a side."""
_ENLARGED = 1.5
"""Letters of 10 points are 20 pixels high at 200 dpi, and Tesseract wants 30. Larger ones do no harm."""
_ENLARGED_MIN = 1.1
"""Less changes nothing but the sharpness."""
_SIDE_SMALL = 1000
"""Pictures whose longer side is below this have smaller letters."""
_ENLARGED_SMALL = 2.0

_SKEW_MAX = 15.0
_COARSE = 0.5
_FINE = 0.1
_SKEW_SIDE = 1000
_POINTS_MAX = 60_000
_POINTS_MIN = 200
_GAIN_MIN = 1.05
"""How much sharper the rows must become for a turn to be real, and not the noise of a picture without lines."""

_SPECKLE_AREA = 0.0005
_SPECKLE_INK = 0.02

Mask = NDArray[np.bool_]


def prepared(picture: Image.Image) -> tuple[Image.Image, float]:
    """Return the picture in grey and of a useful size, and by what its sides were multiplied."""
    grey = picture if picture.mode == "L" else colour.on_white(picture).convert("L")
    width, height = grey.size
    wanted = _ENLARGED_SMALL if max(width, height) < _SIDE_SMALL else _ENLARGED
    scale = min(wanted, math.sqrt(_PIXELS_MAX / (width * height)), _SIDE_MAX / max(width, height))
    if 1 <= scale < _ENLARGED_MIN:
        return _despeckled(grey), 1.0
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return _despeckled(grey).resize(size, Image.Resampling.LANCZOS), scale


def skew(grey: Image.Image) -> float:
    """Return by how many degrees, anticlockwise, the picture must be turned until its lines are level: up to 15."""
    small = grey.copy()
    small.thumbnail((_SKEW_SIDE, _SKEW_SIDE), Image.Resampling.BOX)
    rows, columns = np.nonzero(_ink(small))
    if len(rows) < _POINTS_MIN:
        return 0.0
    step = math.ceil(len(rows) / _POINTS_MAX)
    points = rows[::step].astype(np.float32), columns[::step].astype(np.float32)
    coarse = max(_angles(-_SKEW_MAX, _SKEW_MAX, _COARSE), key=lambda angle: _sharpness(points, angle))
    near = _angles(max(-_SKEW_MAX, coarse - _COARSE), min(_SKEW_MAX, coarse + _COARSE), _FINE)
    best = max(near, key=lambda angle: _sharpness(points, angle))
    return best if _sharpness(points, best) > _GAIN_MIN * _sharpness(points, 0.0) else 0.0


def _angles(first: float, last: float, step: float) -> list[float]:
    return [round(first + index * step, 1) for index in range(round((last - first) / step) + 1)]


def _sharpness(points: tuple[NDArray[Any], NDArray[Any]], angle: float) -> float:
    """Return how clearly the rows of a turned picture are either text or gap."""
    rows, columns = points
    radians = math.radians(angle)
    turned = rows * math.cos(radians) - columns * math.sin(radians)
    counts = np.bincount((turned - turned.min()).astype(np.int64)).astype(np.float64)
    return float(np.square(np.diff(counts)).sum())


def _despeckled(grey: Image.Image) -> Image.Image:
    ink = _ink(grey)
    alone = int((ink[1:-1, 1:-1] & ~_neighbours(ink)).sum())
    if alone > _SPECKLE_AREA * ink.size and alone > _SPECKLE_INK * int(ink.sum()):
        return grey.filter(ImageFilter.MedianFilter(3))
    return grey


def _neighbours(ink: Mask) -> Mask:
    """Return for each pixel, without those of the border, whether one of the eight around it is ink."""
    across = ink[:, :-2] | ink[:, 2:]
    beside = across | ink[:, 1:-1]
    return beside[:-2] | beside[2:] | across[1:-1]


def _ink(grey: Image.Image) -> Mask:
    """Return which pixels belong to the less frequent of dark and light, by Otsu's threshold."""
    pixels = np.asarray(grey)
    dark: Mask = pixels <= _threshold(np.bincount(pixels.ravel(), minlength=256))
    return ~dark if dark.mean() > 0.5 else dark


def _threshold(histogram: NDArray[np.int64]) -> int:
    levels = np.arange(256)
    below = np.cumsum(histogram)
    above = below[-1] - below
    sums = np.cumsum(histogram * levels)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    return int(np.nanargmax(np.where(np.isfinite(between), between, -1.0)))
