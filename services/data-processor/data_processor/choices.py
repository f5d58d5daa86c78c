"""The values of columns that hold one of a few."""

from __future__ import annotations

from typing import Literal

MediaType = Literal["image/png", "image/jpeg", "image/webp", "application/pdf"]
ValidationStatus = Literal["pending", "valid", "invalid", "corrected"]
BatchStatus = Literal["pending", "running", "done", "failed"]
"""The status of a job, and of each of its items."""
