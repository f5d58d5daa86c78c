"""Progress of a long stream of bytes: how much is done, and how long the rest probably takes."""

from __future__ import annotations

import sys
import time

_EVERY_S = {True: 0.2, False: 10.0}
"""Time between two reports, on a terminal and elsewhere."""
_ESTIMATE_FROM = 0.05
"""Share of the work before which no estimate is made."""


def size(count: float) -> str:
    """Return a number of bytes for people: 12.3 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


class Progress:
    """Reports on one stream. `expected` is its length in bytes if that is known, `about` if it is only estimated."""

    def __init__(self, doing: str, expected: int | None = None, *, about: bool = False) -> None:
        self._doing, self._expected, self._about = doing, expected, about
        self._started = time.monotonic()
        self._live = sys.stdout.isatty()
        self._reported = self._started
        self._shown = False

    def __call__(self, done: int) -> None:
        """Report that `done` bytes of the stream are done, if the last report is some time ago."""
        now = time.monotonic()
        if now - self._reported < _EVERY_S[self._live]:
            return
        self._reported, self._shown = now, True
        text = f"{self._doing}: {size(done)}{self._of(done, now - self._started)}"
        print(f"\r\033[K{text}" if self._live else text, end="" if self._live else "\n", flush=True)

    def _of(self, done: int, took_s: float) -> str:
        if not self._expected or (self._about and done >= self._expected):
            return f", {took_s:.0f} s so far"
        total = f" of {'about ' if self._about else ''}{size(self._expected)}"
        share = done / self._expected
        if share < _ESTIMATE_FROM:
            return total
        return f"{total}, about {took_s * (1 - share) / share:.0f} s left"

    def end(self) -> float:
        """Clear the line; return how long it took, in seconds."""
        if self._live and self._shown:
            print("\r\033[K", end="", flush=True)
        return time.monotonic() - self._started
