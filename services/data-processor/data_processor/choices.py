"""The allowed values of columns with few values."""

from __future__ import annotations

from typing import Literal

MediaType = Literal["image/png", "image/jpeg", "image/webp", "image/tiff", "image/heic", "application/pdf"]
ValidationStatus = Literal["pending", "valid", "invalid", "corrected"]
ValueType = Literal["text", "date", "amount", "table"]
"""How the text of a label is read."""
DateOrder = Literal["DMY", "MDY", "YMD"]
"""The order of day, month and year in dates written in figures."""
DecimalSeparator = Literal[".", ","]
BatchStatus = Literal["pending", "running", "done", "failed", "cancelled"]
"""The status of a job, and of each of its items."""
Engine = Literal["text-layer", "tesseract", "none"]
"""How the text of a page was read; "none" if it could not be."""
TextStatus = Literal["pending", "running", "done", "failed"]
"""How far the reading of a document's text is."""
