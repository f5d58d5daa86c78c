"""Judges a drill: compares what clients saw with what is stored, and with what the docs promise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from plumbline.verification.drills.seen import Heard, Seen, Write

DEADLINE_S = 10.0
"""How long the clients of docs/calls.md wait for an answer."""
WRITES_MIN = 2000
EXPECTED = frozenset({
    "503 database_away", "503 overloaded", "503 schema_behind", "502 upstream_unavailable", "503 upstream_unavailable",
    "504 upstream_unavailable", "409 key_in_use",
})  # fmt: skip
"""Status and code of the refusals that an outage explains."""
_SIGNED_OUT = frozenset({"401 unauthenticated", "401 wrong_credentials"})


@dataclass(frozen=True)
class Sockets:
    """What was counted of all listeners of one kind. `closes` counts connections by the code of their end."""

    sockets: int
    missed: int
    twice: int
    out_of_order: int
    read_again: int
    gaps: int
    silent_gaps: int
    closes: dict[str, int]


@dataclass(frozen=True)
class Verdict:
    """The figures of a drill. `findings` are the promises that were broken; without one the drill has passed."""

    acknowledged: int
    lost: int
    doubled: int
    given_up: int
    unread: int
    refusals: dict[str, int]
    unclear: int
    slowest_refusal_s: float
    unanswered: int
    longest_pause_s: float
    recovered_s: float | None
    resuming: Sockets
    ordinary: Sockets
    findings: list[str] = field(default_factory=list)


def judge(seen: Seen, *, writes_min: int = WRITES_MIN, unanswered: bool = False, signed_out: bool = False) -> Verdict:
    """Count, and find broken promises.

    `unanswered`: requests may get no answer, because the front door itself is away, or stands still. `signed_out`:
    sessions may have ended.
    """
    ledger = seen.ledger
    stored = {(one.kind, one.id, one.mark) for one in seen.stored}
    lost = [one for one in ledger.writes if (one.kind, one.id, one.mark) not in stored]
    doubled = [mark for mark, rows in Counter(one.mark for one in seen.stored).items() if rows > 1]
    refusals = Counter(f"{one.status} {one.code}" for one in ledger.refusals)
    unclear = [one for one in ledger.refusals if one.unclear]
    slowest = max((one.took_s for one in ledger.refusals), default=0.0)
    resuming, ordinary = (_sockets(seen, [one for one in seen.heard if one.resumes is how]) for how in (True, False))

    def findings() -> Iterator[str]:
        if len(ledger.writes) < writes_min:
            yield f"{len(ledger.writes)} writes were acknowledged; at least {writes_min} are needed"
        yield from (f"lost: {one.kind} {one.id} ({one.mark})" for one in lost)
        yield from (f"stored twice: {mark}" for mark in doubled)
        yield from (f"given up: {one}" for one in ledger.given_up)
        if seen.unread:
            yield f"{seen.unread} documents were never read"
        yield from (f"unclear answer {one.status} {one.code}: {one.unclear}" for one in unclear)
        allowed = EXPECTED | _SIGNED_OUT if signed_out else EXPECTED
        yield from (
            f"unexpected answer: {one} ({times} times)" for one, times in refusals.items() if one not in allowed
        )
        if slowest > DEADLINE_S:
            yield f"a refusal took {slowest:.1f} s; clients wait {DEADLINE_S:g} s"
        if ledger.unanswered and not unanswered:
            kinds = dict(Counter(ledger.unanswered))
            yield f"{len(ledger.unanswered)} requests got no answer, though the front door was there: {kinds}"
        if seen.recovered_s is None:
            yield "a writer had no write acknowledged after the disturbance"
        yield from _about("sockets that resume", resuming)
        yield from _about("ordinary sockets", ordinary)

    return Verdict(
        acknowledged=len(ledger.writes),
        lost=len(lost),
        doubled=len(doubled),
        given_up=len(ledger.given_up),
        unread=seen.unread,
        refusals=dict(sorted(refusals.items())),
        unclear=len(unclear),
        slowest_refusal_s=round(slowest, 1),
        unanswered=len(ledger.unanswered),
        longest_pause_s=round(_longest_pause(ledger.writes), 1),
        recovered_s=None if seen.recovered_s is None else round(seen.recovered_s, 1),
        resuming=resuming,
        ordinary=ordinary,
        findings=list(dict.fromkeys(findings())),
    )


def _sockets(seen: Seen, heard: Sequence[Heard]) -> Sockets:
    gaps = [gap for one in heard if not one.resumes for gap in one.gaps(seen.ledger.writes)]
    connections = [connection for one in heard for connection in one.connections]
    return Sockets(
        sockets=len(heard),
        missed=sum(len(seen.missed(one)) for one in heard),
        twice=sum(times - 1 for one in heard for times in _deliveries(one).values()),
        out_of_order=sum(one.out_of_order for one in heard),
        read_again=sum(one.read_again for one in heard),
        gaps=len(gaps),
        silent_gaps=sum(not one.closed_with for one in gaps),
        closes=dict(sorted(Counter(one.closed_with for one in connections if one.closed_with).items())),
    )


def _deliveries(listener: Heard) -> Counter[object]:
    """Count deliveries: over all connections for a socket that resumes, by connection for others, who read again."""
    found: Counter[object] = Counter()
    for number, connection in enumerate(listener.connections):
        for key, times in connection.got.items():
            found[key if listener.resumes else (number, key)] += times
    return found


def _about(which: str, found: Sockets) -> Iterator[str]:
    if found.missed:
        yield f"{which} missed {found.missed} events, and nothing told them"
    if found.silent_gaps:
        yield f"{found.silent_gaps} {which} have a gap and were not closed"
    if found.twice:
        yield f"{which} got {found.twice} events twice"
    if found.out_of_order:
        yield f"{which} got {found.out_of_order} events out of order"


def _longest_pause(writes: Sequence[Write]) -> float:
    """Return the longest time in which no write was acknowledged."""
    times = sorted(one.acknowledged_at for one in writes)
    return max((later - earlier for earlier, later in pairwise(times)), default=0.0)
