"""The refusal of a file that is of a known type and still cannot be taken."""

from __future__ import annotations

from servicekit.codes import Code


class BrokenFileError(Exception):
    """A file that cannot be used: why, in words for its owner, and what the decoder said, for the operator."""

    def __init__(self, reason: str, *, code: Code = Code.BROKEN_FILE, cause: Exception | str | None = None) -> None:
        super().__init__(reason)
        self.code = code
        self.cause = f"{type(cause).__name__}: {cause}" if isinstance(cause, Exception) else cause
