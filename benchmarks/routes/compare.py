"""Measures two calls side by side: in turns, in short rounds, so that whatever else the machine does hits both."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass

import orjson

from benchmarks.dataset import Connection
from benchmarks.load.generator import Generator
from benchmarks.load.round import LoadError, Round
from benchmarks.routes.case import Call, Values
from plumbline.verification.throwaway import through_caddy

_WARM_UP_S = 0.25
_WARM_UP_CALLS = 256
_SPARE = 1.6
"""Calls that are prepared for a round, as a multiple of what the rate so far lets expect."""
_TIMEOUT_S = 30


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a comparison takes: rounds of `seconds` for each side."""

    rounds: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two: a call, where it goes, as whom, and the numbers it needs from its own database."""

    call: Call
    port: int
    token: str
    db: Connection
    values: Values | None = None
    items: int = 0
    frame: bytes = b""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Medians over the rounds: answers a second of both, and the ratio second to first within a round."""

    first: float
    second: float
    ratio: float


def compare(generator: Generator, first: Side, second: Side, timing: Timing) -> Comparison:
    """Let the two sides take turns. Raises LoadError for any answer that is not correct."""
    measures = [_measure(generator, side) for side in (first, second)]
    for measure in measures:
        measure(_WARM_UP_S)
    rates: list[tuple[float, float]] = []
    for number in range(timing.rounds):
        if number % 2:
            after = measures[1](timing.seconds)
            rates.append((measures[0](timing.seconds), after))
        else:
            rates.append((measures[0](timing.seconds), measures[1](timing.seconds)))
    return Comparison(
        statistics.median(one for one, _ in rates),
        statistics.median(other for _, other in rates),
        statistics.median(other / one for one, other in rates),
    )


def _measure(generator: Generator, side: Side) -> Callable[[float], float]:
    """Return what runs a round of given seconds and returns its rate."""
    least = _probe(side)
    rate = 0.0

    def measure(seconds: float) -> float:
        nonlocal rate
        count = max(_WARM_UP_CALLS, int(rate * seconds * _SPARE))
        rate = generator.run(_round(side, seconds, count, least)).rate
        return rate

    return measure


def _round(side: Side, seconds: float, count: int, least: int) -> Round:
    call = side.call
    if side.frame:
        return Round(side.port, (side.frame,), True, seconds, least=least, opening=call.render(side.token))
    if side.values is None:
        return Round(side.port, (call.render(side.token),), True, seconds, call.status, least)
    numbers = side.values(side.db, count)
    calls = tuple(call.render(side.token, number) for number in numbers)
    return Round(side.port, calls, False, seconds, call.status, least)


def _probe(side: Side) -> int:
    """Call once and look at the answer closely; return how many bytes every other answer has at least."""
    if side.frame:
        return len(side.frame) // 2
    (number,) = side.values(side.db, 1) if side.values else (0,)
    call = side.call
    response = through_caddy(
        call.method,
        f"http://127.0.0.1:{side.port}{call.path.replace('{n}', str(number))}",
        data=call.body.replace(b"{n}", b"%d" % number),
        headers={"Content-Type": call.content_type} if call.body else {},
        cookies={"access_token": side.token},
        timeout=_TIMEOUT_S,
    )
    if response.status_code != call.status:
        raise LoadError(f"{call.method} {call.path} was answered {response.status_code}: {response.text[:600]}")
    if side.items:
        body = orjson.loads(response.content)
        found = len(body if isinstance(body, list) else body["items"])
        if found != side.items:
            raise LoadError(f"{call.method} {call.path} was answered with {found} items, {side.items} were wanted")
    return len(response.content) * 9 // 10
