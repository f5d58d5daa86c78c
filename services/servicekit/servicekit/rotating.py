"""Secrets that are replaced while services run.

A secret's file holds its current value. Beside it, `NAME_also` may hold a second value that is valid at the same time:
the next one before the change, the former one after it. A second line there is the time at which it ends (seconds since
the epoch). Both files are read again when they change, so no service restarts for a new secret.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from servicekit.secrets import SecretError, read_secret

ALSO = "_also"

_Stamp = tuple[int, int, int] | None


@dataclass(frozen=True, slots=True)
class Value:
    """One valid value of a secret. `until` is when it ends, in seconds since the epoch; None: not by itself."""

    text: str
    until: float | None = None


class RotatingSecret:
    """The valid values of a secret: the current one, and the other one during a rotation."""

    def __init__(self, file: Path) -> None:
        """Read the secret. Raises SecretError if the file is unusable."""
        self._files = (file, file.with_name(file.name + ALSO))
        self._lock = threading.Lock()
        self._seen = self._stamps()
        self._current = Value(read_secret(file))
        self._other = read_other(self._files[1])

    def current(self) -> str:
        """Return the value to use."""
        self._renew()
        return self._current.text

    def accepted(self) -> tuple[Value, ...]:
        """Return the values to accept, the current one first."""
        self._renew()
        current, other = self._current, self._other
        if other is None or other.text == current.text or (other.until is not None and other.until <= time.time()):
            return (current,)
        return (current, other)

    def _renew(self) -> None:
        """Read the files if they have changed. While the first holds no usable secret, the last one stays valid."""
        stamps = self._stamps()
        if stamps == self._seen:
            return
        with self._lock, suppress(SecretError):
            current, other = Value(read_secret(self._files[0])), read_other(self._files[1])
            self._current, self._other, self._seen = current, other, stamps

    def _stamps(self) -> tuple[_Stamp, _Stamp]:
        first, second = map(_stamp, self._files)
        return first, second


def _stamp(file: Path) -> _Stamp:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size


def read_other(file: Path) -> Value | None:
    """Return the value of a `NAME_also` file; None if it holds none."""
    try:
        text, *end = file.read_text(encoding="utf-8").strip().splitlines()
        return Value(text, float(end[0]) if end else None)
    except (OSError, ValueError):
        return None
