"""Measures two calls in turns, in short rounds, so that other work of the machine affects both."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import orjson

from benchmarks.load.generator import Generator
from benchmarks.load.round import CONNECTIONS, LoadError, Round
from benchmarks.routes.case import Call
from plumbline.verification.throwaway import through_caddy

_TIMEOUT_S = 30


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a comparison takes: rounds of `seconds` for each side, and one more to warm up."""

    rounds: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two: a call, where it goes, as whom, and over how many connections. Calls take `numbers` in turns."""

    call: Call
    port: int
    token: str
    items: int = 0
    numbers: Sequence[int] = (0,)
    connections: int = CONNECTIONS


@dataclass(frozen=True, slots=True)
class Comparison:
    """Medians over the rounds: answers a second of both, and the ratio second to first within a round."""

    first: float
    second: float
    ratio: float


def compare(generator: Generator, first: Side, second: Side, timing: Timing) -> Comparison:
    """Let the two sides take turns. Raises LoadError for any answer that is not correct."""
    measures = [_measure(generator, side, timing.seconds) for side in (first, second)]
    for measure in measures:
        measure()
    rates: list[tuple[float, float]] = []
    for number in range(timing.rounds):
        if number % 2:
            after = measures[1]()
            rates.append((measures[0](), after))
        else:
            rates.append((measures[0](), measures[1]()))
    return Comparison(
        statistics.median(one for one, _ in rates),
        statistics.median(other for _, other in rates),
        statistics.median(other / one for one, other in rates),
    )


def _measure(generator: Generator, side: Side, seconds: float) -> Callable[[], float]:
    """Return a function that runs a round and returns its rate."""
    calls = tuple(side.call.render(side.token, number) for number in side.numbers)
    task = Round(side.port, calls, seconds, side.call.status, _probe(side), side.connections)
    return lambda: generator.run(task).rate


def _probe(side: Side) -> int:
    """Call once and look at the answer closely; return how many bytes every other answer has at least."""
    call, number = side.call, side.numbers[0]
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
            raise LoadError(f"{call.method} {call.path} was answered with {found} items, expected were {side.items}")
    return len(response.content) * 9 // 10
