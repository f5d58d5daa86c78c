"""Secrets that are replaced while services run.

A secret's file holds its current value. Beside it, `NAME_also` may hold others that are valid at the same time: the
next one before a change, former ones after it. Each has two lines: the value, and when it ends in seconds since the
epoch (empty: not by itself). Both files are read again when they change, so no service restarts for a new secret.
"""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from servicekit.secrets import SecretError, read_secret

ALSO = "_also"
RECENT_S = 0.05
"""How much longer than its file says a value may be accepted."""

_Stamp = tuple[int, int, int] | None


@dataclass(frozen=True, slots=True)
class Value:
    """One valid value of a secret. `until` is when it ends, in seconds since the epoch; None: not by itself."""

    text: str
    until: float | None = None

    @property
    def has_ended(self) -> bool:
        """Whether it is valid no more."""
        return self.until is not None and self.until <= time.time()


class RotatingSecret:
    """The valid values of a secret: the current one, and others during and after a rotation."""

    def __init__(self, file: Path) -> None:
        """Read the secret. Raises SecretError if the file is unusable."""
        self._files = (file, file.with_name(file.name + ALSO))
        self._paths = str(self._files[0]), str(self._files[1])
        self._lock = threading.Lock()
        self._looked_at = time.monotonic()
        self._seen = self._stamps()
        self._current = Value(read_secret(file))
        self._others = read_others(self._files[1])

    def current(self) -> str:
        """Return the value to use."""
        self._renew()
        return self._current.text

    def accepted(self) -> tuple[Value, ...]:
        """Return the values to accept, the current one first."""
        self._renew()
        return self._valid()

    def recent(self) -> tuple[Value, ...]:
        """Return the values that were accepted a moment ago. Ask `accepted` before you refuse another one.

        For every request: looking at two files costs as much as a small statement on some systems.
        """
        if time.monotonic() < self._looked_at + RECENT_S:
            return self._valid()
        return self.accepted()

    def untried(self) -> Iterator[str]:
        """Yield every accepted value once, also one that becomes valid while a former one is being tried."""
        tried: set[str] = set()
        while value := next((one.text for one in self.accepted() if one.text not in tried), None):
            tried.add(value)
            yield value

    def _valid(self) -> tuple[Value, ...]:
        current, others = self._current, self._others
        if not others:
            return (current,)
        return (current, *(one for one in others if one.text != current.text and not one.has_ended))

    def _renew(self) -> None:
        """Read the files if they have changed. While the first holds no usable secret, the last one stays valid."""
        self._looked_at = time.monotonic()
        stamps = self._stamps()
        if stamps == self._seen:
            return
        with self._lock, suppress(SecretError):
            current, others = Value(read_secret(self._files[0])), read_others(self._files[1])
            self._current, self._others, self._seen = current, others, stamps

    def _stamps(self) -> tuple[_Stamp, _Stamp]:
        first, second = self._paths
        return _stamp(first), _stamp(second)


def _stamp(path: str) -> _Stamp:
    try:
        status = os.stat(path)  # noqa: PTH116  each request asks, and a Path takes twice as long
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size


def read_others(file: Path) -> tuple[Value, ...]:
    """Return the values of a `NAME_also` file; none if it cannot be read."""
    try:
        lines = file.read_text(encoding="utf-8").strip().splitlines()
        pairs = itertools.zip_longest(lines[::2], lines[1::2], fillvalue="")
        return tuple(Value(text, float(end) if end.strip() else None) for text, end in pairs if text)
    except (OSError, ValueError):
        return ()


def text_of(values: Iterable[Value]) -> str:
    """Return the content of a `NAME_also` file with these values."""
    return "".join(f"{one.text}\n{'' if one.until is None else int(one.until)}\n" for one in values)
