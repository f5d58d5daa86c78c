"""What clients of a drill saw, and what Postgres holds afterwards."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

Key = tuple[str, int]
"""Kind and id of a row that members are told about."""
TOLD = ("message", "document")
"""Kinds that members are told about."""
_ON_ITS_WAY_S = 1.0
"""A frame may be on its way to a connection that closes."""


@dataclass(frozen=True, slots=True)
class Write:
    """A write that was acknowledged. Only its row has its `mark`."""

    kind: str
    mark: str
    id: int
    channel: int
    begun_at: float
    acknowledged_at: float


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that was not a success. `unclear` says how it differs from the contract; empty if it does not."""

    status: int
    code: str
    took_s: float
    unclear: str = ""


@dataclass
class Ledger:
    """What all writers of a drill have noted."""

    run: str = field(default_factory=lambda: f"drill-{secrets.token_hex(3)}")
    """Begin of every mark."""
    writes: list[Write] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    unanswered: list[str] = field(default_factory=list)
    """Requests that got no answer, by the kind of error."""
    given_up: list[str] = field(default_factory=list)
    """Writes that a client has given up, with the last answer."""


@dataclass
class Connection:
    """One connection of a socket. `closed_with` is the code, or "lost" without one; empty while it is open."""

    opened_at: float
    closed_at: float = float("inf")
    closed_with: str = ""
    got: Counter[Key] = field(default_factory=Counter)

    def has_gap(self, due: Sequence[Write]) -> bool:
        """Return whether it did not get one of the writes that were made while it was open."""
        until = self.closed_at - _ON_ITS_WAY_S
        return any(
            (one.kind, one.id) not in self.got
            for one in due
            if one.begun_at > self.opened_at and one.acknowledged_at < until
        )


@dataclass
class Heard:
    """What one listener was told of one channel, over its connections and in the lists that it read."""

    channel: int
    resumes: bool
    known: set[Key] = field(default_factory=set)
    connections: list[Connection] = field(default_factory=list)
    read_again: int = 0
    """How often it was told to read the lists again."""
    out_of_order: int = 0

    def gaps(self, writes: Sequence[Write]) -> Iterator[Connection]:
        """Return the connections with a gap."""
        due = [one for one in writes if one.channel == self.channel and one.kind in TOLD]
        return (one for one in self.connections if one.has_gap(due))


@dataclass(frozen=True, slots=True)
class Stored:
    """A row of a drill, as Postgres holds it."""

    kind: str
    id: int
    mark: str
    channel: int


@dataclass
class Seen:
    """Everything that a drill is judged by."""

    ledger: Ledger
    heard: Sequence[Heard]
    stored: Sequence[Stored]
    unread: int = 0
    """Documents whose text was not read in the end."""
    recovered_s: float | None = 0.0
    """How long after the disturbance each writer had a new write acknowledged; None if one had none."""

    def missed(self, listener: Heard) -> set[Key]:
        """Return the rows of its channel that a listener knows nothing of."""
        due = {(one.kind, one.id) for one in self.stored if one.channel == listener.channel and one.kind in TOLD}
        return due - listener.known

    def unsettled(self) -> bool:
        """Return whether a listener still misses something, or has an open connection with a gap."""
        return any(
            self.missed(one) or (not one.resumes and any(not gap.closed_with for gap in one.gaps(self.ledger.writes)))
            for one in self.heard
        )
