"""Measures two calls in turns, in short rounds, so that other work of the machine affects both."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import orjson

from benchmarks.load.generator import Generator
from benchmarks.load.round import CONNECTIONS, MARK, LoadError, Round, numbers
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
class Turns:
    """Answers a second of each side, by round."""

    rounds: list[tuple[float, ...]]

    def rate(self, side: int) -> float:
        """Return the median of a side."""
        return statistics.median(rates[side] for rates in self.rounds)

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

    def _ratios(self, side: int) -> list[float]:
        return [rates[side] / rates[0] for rates in self.rounds]


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
    rounds = []
    for number in range(timing.rounds):
        order = [(number + step) % len(sides) for step in range(len(sides))]
        rates = {side: measures[side]() for side in (order if number % 4 < 2 else reversed(order))}
        rounds.append(tuple(rates[side] for side in range(len(sides))))
    return Turns(rounds)


def _measure(generator: Generator, side: Side, seconds: float) -> Callable[[], float]:
    """Return a function that runs a round and returns its rate."""
    calls = tuple(side.call.render(side.token, number) for number in side.numbers)
    task = Round(side.port, calls, seconds, side.call.status, _probe(side), side.connections)
    return lambda: generator.run(task).rate


def _probe(side: Side) -> int:
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
