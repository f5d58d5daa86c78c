"""The allowed values of columns with few values."""

from __future__ import annotations

from typing import Literal

MediaType = Literal["image/png", "image/jpeg", "image/webp", "image/tiff", "image/heic", "application/pdf"]
ValidationStatus = Literal["pending", "valid", "invalid", "corrected"]
BatchStatus = Literal["pending", "running", "done", "failed", "cancelled"]
"""The status of a job, and of each of its items."""
