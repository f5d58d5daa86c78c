"""Measures two calls in turns, in short rounds, so that other work of the machine affects both."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import orjson

from benchmarks.load.generator import Generator
from benchmarks.load.round import CONNECTIONS, MARK, LoadError, Result, Round, numbers
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
    cpu_s: Callable[[], float] = time.perf_counter
    """Returns the CPU time that the other side of the connections has taken, if it matters."""


@dataclass(frozen=True, slots=True)
class Turns:
    """What was measured of each side, by round: answers a second; and in all: CPU seconds for an answer."""

    rates: list[tuple[float, ...]]
    cpu_s: list[float]

    def rate(self, side: int) -> float:
        """Return the median of a side."""
        return statistics.median(rates[side] for rates in self.rates)

    def ratio(self, side: int) -> float:
        """Return the median of a side's ratio to the first within a round."""
        return statistics.median(self._ratios(side))

    def half(self, side: int) -> tuple[float, float]:
        """Return the two ratios between which half of the rounds lie."""
        ratios = self._ratios(side)
        if len(ratios) < 2:
            return ratios[0], ratios[0]
        low, _, high = statistics.quantiles(ratios, n=4)
        return low, high

    def cpu(self, side: int) -> float:
        """Return the ratio of a side's CPU time for an answer to that of the first."""
        return self.cpu_s[side] / self.cpu_s[0]

    def _ratios(self, side: int) -> list[float]:
        return [rates[side] / rates[0] for rates in self.rates]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Medians over the rounds: answers a second of both, and the ratio second to first within a round."""

    first: float
    second: float
    ratio: float


def compare(generator: Generator, first: Side, second: Side, timing: Timing) -> Comparison:
    """Let the two sides take turns. Raises LoadError for any answer that is not correct."""
    turns = take_turns(generator, (first, second), timing)
    return Comparison(turns.rate(0), turns.rate(1), turns.ratio(1))


def take_turns(generator: Generator, sides: Sequence[Side], timing: Timing) -> Turns:
    """Let all sides take turns, each round in another order. Raises LoadError for any answer that is not correct."""
    measures = [_measure(generator, side, timing.seconds) for side in sides]
    for measure in measures:
        measure()
    rates: list[tuple[float, ...]] = []
    answers, taken = [0] * len(sides), [0.0] * len(sides)
    for number in range(timing.rounds):
        order = [(number + step) % len(sides) for step in range(len(sides))]
        found = {side: measures[side]() for side in (order if number % 4 < 2 else reversed(order))}
        rates.append(tuple(found[side].result.rate for side in range(len(sides))))
        for side, measured in found.items():
            answers[side] += measured.result.answers
            taken[side] += measured.cpu_s
    # In all, because CPU times are counted in steps of 10 ms.
    return Turns(rates, [cpu_s / count for cpu_s, count in zip(taken, answers, strict=True)])


@dataclass(frozen=True, slots=True)
class _Measured:
    result: Result
    cpu_s: float


def _measure(generator: Generator, side: Side, seconds: float) -> Callable[[], _Measured]:
    """Return a function that runs a round."""
    calls = tuple(side.call.render(side.token, number) for number in side.numbers)
    task = Round(side.port, calls, seconds, side.call.status, probe(side), side.connections)

    def measure() -> _Measured:
        before = side.cpu_s()
        result = generator.run(task)
        return _Measured(result, side.cpu_s() - before)

    return measure


def probe(side: Side) -> int:
    """Call once and look at the answer closely; return how many bytes every other answer has at least."""
    call, number, mark = side.call, side.numbers[0], next(numbers())
    response = through_caddy(
        call.method,
        f"http://127.0.0.1:{side.port}{call.path.replace('{n}', str(number))}",
        data=call.body.replace(b"{n}", b"%d" % number).replace(MARK, mark),
        headers={
            **({"Content-Type": call.content_type} if call.body else {}),
            **{name: value.replace(MARK.decode(), mark.decode()) for name, value in call.headers},
        },
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
