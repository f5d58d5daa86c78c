"""Room for work that may take long, and never all of it: slow bodies, files that are hard to decode, exports.

Half of a process's threads may do such work at once. The others answer everything else, /health above all. One user and
one address get a part of that room at most, and the user with the least work under way is let in first.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Literal

from servicekit.codes import Code
from servicekit.context import client_address

from data_processor import config
from data_processor.config import DataProcessorSettings
from data_processor.web.auth import caller
from data_processor.web.errors import BusyError, TooManyAtOnceError

_PATIENCE_S = 0.5
"""Longest wait for a place. It is short, because a waiting request holds one of the other threads."""

Kind = Literal["uploads", "changes", "thumbnails", "pictures", "exports"]
REFUSALS = (Code.TOO_MANY_AT_ONCE, Code.OVERLOADED)
"""The codes of `BusyError` and `TooManyAtOnceError`."""


def threads(settings: DataProcessorSettings) -> int:
    """Return how many threads a process needs: one for each database connection, and as many for the slow lane."""
    return 2 * settings.pool_size


@dataclass(frozen=True, slots=True)
class Claim:
    """A request for a place in the slow lane: the kind of work, the user and the address."""

    kind: Kind
    user: int | None
    address: str | None
    number: int


class SlowLane:
    """The places, the requests that hold one, and those that wait."""

    def __init__(self, room: int, per_user: int, per_address: int) -> None:
        self._room = room
        # An export holds a connection until its client has read it. Half of the connections stay for other requests.
        self._exports = max(1, room // 2)
        # At least one place stays for other users, also where there are few.
        most = max(1, room - 1)
        self._per_user = min(per_user, most)
        self._per_address = min(per_address, most)
        self._changed = threading.Condition()
        self._numbers = itertools.count()
        self._inside: set[Claim] = set()
        self._waiting: set[Claim] = set()

    @contextmanager
    def place(
        self, kind: Kind, user: int | None, address: str | None, patience_s: float = _PATIENCE_S
    ) -> Iterator[None]:
        """Hold a place for the block. Raises BusyError, or TooManyAtOnceError if the caller's own limit is reached."""
        with self._changed:
            claim = Claim(kind, user, address, next(self._numbers))
            self._wait(claim, patience_s)
            self._inside.add(claim)
        try:
            yield
        finally:
            with self._changed:
                self._inside.remove(claim)
                self._changed.notify_all()

    def _wait(self, claim: Claim, patience_s: float) -> None:
        deadline = time.monotonic() + patience_s
        # Half of the other threads may wait here; the rest serves quick requests.
        may_wait = len(self._waiting) < max(1, self._room // 2)
        self._waiting.add(claim)
        try:
            while not self._is_next(claim):
                left = deadline - time.monotonic()
                if not may_wait or left <= 0:
                    raise self._refusal(claim)
                self._changed.wait(left)
        finally:
            self._waiting.remove(claim)
            self._changed.notify_all()

    def _is_next(self, claim: Claim) -> bool:
        if len(self._inside) >= self._room or self._held_back(claim):
            return False
        return claim == min((one for one in self._waiting if not self._held_back(one)), key=self._rank)

    def _held_back(self, claim: Claim) -> bool:
        exports = sum(one.kind == "exports" for one in self._inside)
        return self._over(claim) is not None or (claim.kind == "exports" and exports >= self._exports)

    def _rank(self, claim: Claim) -> tuple[int, int]:
        """The user with the fewest places comes first, then the earliest request."""
        return self._counts(claim)["user"], claim.number

    def _counts(self, claim: Claim, *, and_waiting: bool = False) -> Counter[str]:
        counts: Counter[str] = Counter()
        for one in self._inside | (self._waiting - {claim} if and_waiting else set()):
            counts["user"] += one.user == claim.user and one.kind == claim.kind
            counts["address"] += one.address == claim.address
        return counts

    def _over(self, claim: Claim, *, and_waiting: bool = False) -> str | None:
        """Return which limit is reached, if one is."""
        counts = self._counts(claim, and_waiting=and_waiting)
        if claim.user is not None and counts["user"] >= self._per_user:
            return f"you have {self._per_user} {claim.kind} under way here"
        if claim.address is not None and counts["address"] >= self._per_address:
            return f"your address has {self._per_address} uploads, changes or exports under way here"
        return None

    def _refusal(self, claim: Claim) -> Exception:
        own = self._over(claim, and_waiting=True)
        if own:
            return TooManyAtOnceError(f"{own}, as many as may be at a time: let one of them end, then try again")
        return BusyError(
            f"too many {'exports' if claim.kind == 'exports' else 'uploads'} are under way: try again shortly"
        )


@cache
def _lane() -> SlowLane:
    settings = config.current()
    return SlowLane(settings.pool_size, settings.slow_per_user, settings.slow_per_address)


_making = threading.Lock()


@contextmanager
def slow_lane(kind: Kind) -> Iterator[None]:
    """Do the work of the block in the slow lane, as the caller of this request. Raises as `SlowLane.place` does."""
    with _making:
        lane = _lane()
    with lane.place(kind, caller.get(), client_address()):
        yield
