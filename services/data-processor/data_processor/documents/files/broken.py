"""The error for a file of an accepted type that cannot be used."""

from __future__ import annotations

from servicekit.codes import Code

REFUSALS = (
    Code.BROKEN_FILE,
    Code.ENCRYPTED,
    Code.SEVERAL_FRAMES,
    Code.TOO_MANY_PIXELS,
    Code.TOO_MANY_PAGES,
    Code.PAGE_SIZE,
    Code.TOO_COMPLEX,
)
"""The codes of its refusals."""


class BrokenFileError(Exception):
    """A file that cannot be used, with the reason for its owner and the cause for the operator."""

    def __init__(self, reason: str, *, code: Code = Code.BROKEN_FILE, cause: Exception | str | None = None) -> None:
        super().__init__(reason)
        self.code = code
        self.cause = f"{type(cause).__name__}: {cause}" if isinstance(cause, Exception) else cause
