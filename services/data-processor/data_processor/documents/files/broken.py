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

_SIDE_MAX = 65_535


class BrokenFileError(Exception):
    """A file that cannot be used, with the reason for its owner and the cause for the operator."""

    def __init__(self, reason: str, *, code: Code = Code.BROKEN_FILE, cause: Exception | str | None = None) -> None:
        super().__init__(reason)
        self.code = code
        self.cause = f"{type(cause).__name__}: {cause}" if isinstance(cause, Exception) else cause


def refuse_oversized(width: int, height: int, max_pixels: int) -> None:
    """Raise BrokenFileError for an image with too many pixels, or none."""
    if width < 1 or height < 1 or max(width, height) > _SIDE_MAX or width * height > max_pixels:
        raise BrokenFileError(
            f"the image is {width} x {height} pixels: up to {max_pixels} pixels are accepted", code=Code.TOO_MANY_PIXELS
        )


def several_frames() -> BrokenFileError:
    """Return the refusal of an animation."""
    return BrokenFileError("the image has several frames: send one without animation", code=Code.SEVERAL_FRAMES)
