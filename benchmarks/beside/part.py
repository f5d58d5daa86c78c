"""Routes, and events to many sockets: this checkout beside another one, such as that of the release before."""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from orjson import dumps
from servicekit.facts import INTERNAL_HEADER
from servicekit.tokens import Identity, issue, new_session_id

from benchmarks import dataset
from benchmarks.beside.calls import more, opens_direct
from benchmarks.beside.listeners import Burst, Listeners, handshake
from benchmarks.dataset import World
from benchmarks.load.generator import Generator
from benchmarks.report import Column, Report
from benchmarks.routes.case import Call, Case
from benchmarks.routes.cases import cases
from benchmarks.routes.compare import Side, Timing, probe, take_turns
from benchmarks.routes.table import TurnsTable
from benchmarks.stack import WITH_TABLES, BenchStack, bench_stack
from plumbline.verification.throwaway import INTERNAL_SECRET

SOCKETS = 500
_MESSAGES = 40
_SENDERS = 4
_SESSION_S = 3600
_ROWS = 200
_EVENTS = (
    Column("", -8), Column("frames/s", 9), Column("CPU µs/frame", 13), Column("ratio", 7), Column("CPU ratio", 10),
    Column("noise", 6), Column("CPU noise", 10),
)  # fmt: skip
_EXPLANATION = f"""\
there: the other checkout; here: this one; each with a Postgres and a Redis of its own. ratio: answers a second here to
there, the median over rounds; half of the rounds lie between the two figures after it. CPU: the CPU time of an answer
here to there, of the service and of Postgres in all rounds. noise: there beside there. Events: {_MESSAGES} messages
over {_SENDERS} connections to a channel whose {SOCKETS} members each have a socket; from the first request until the
last frame has come, and the CPU time of the backend and of Postgres meanwhile.
"""


@dataclass(frozen=True, slots=True)
class Place:
    """A checkout's stack with its data."""

    stack: BenchStack
    world: World

    def side(self, call: Call, service: str, connections: int) -> Side:
        """Return a side of a comparison."""
        port, token = self.stack.layout.ports[service], self.world.token
        return Side(call, port, token, connections=connections, cpu_s=partial(self.stack.cpu_s, service))


def run(report: Report, timing: Timing, checkout: Path, only: str = "") -> None:
    """Measure the routes that contain `only`, and events unless something is chosen that is not `events`."""
    with _place(checkout) as there, _place() as here, Generator() as generator:
        _routes(report, timing, generator, there, here, only)
        if only in ("", "events"):
            _events(report, timing.rounds, there, here)
        report.say(_EXPLANATION)


@contextlib.contextmanager
def _place(checkout: Path | None = None) -> Iterator[Place]:
    with bench_stack(checkout=checkout) if checkout else bench_stack() as stack:
        for service in WITH_TABLES:
            stack.begin(service)
        stack.wait_for_all()
        place = Place(stack, dataset.fill(stack, max(SOCKETS, _ROWS), _ROWS))
        probe(place.side(opens_direct(place.world), "backend", 1))
        yield place


def _routes(report: Report, timing: Timing, generator: Generator, there: Place, here: Place, only: str) -> None:
    every = [(service, _cases(there.world, service), _cases(here.world, service)) for service in WITH_TABLES]
    chosen = [
        (service, first, second)
        for service, firsts, seconds in every
        for first, second in zip(firsts, seconds, strict=True)
        if only in first.route
    ]
    if not chosen:
        return
    table = TurnsTable(report, "routes of another checkout and of this one", "there/s")
    for service, first, second in chosen:
        sides = (
            there.side(first.call, service, first.connections),
            here.side(second.call, service, second.connections),
            there.side(first.call, service, first.connections),
        )
        table.row(first.route, take_turns(generator, sides, timing))


def _cases(world: World, service: str) -> list[Case]:
    return [*cases(world)[service], *more(world)[service]]


def _events(report: Report, rounds: int, there: Place, here: Place) -> None:
    table = report.table(f"events to {SOCKETS} sockets", _EVENTS)
    with _listening(there) as at_there, _listening(here) as at_here:
        sides = ((there, at_there), (here, at_here), (there, at_there))
        figures: list[list[tuple[float, float]]] = []
        for number in range(rounds + 1):
            order = [(number + step) % len(sides) for step in range(len(sides))]
            measured = {side: _burst(*sides[side]) for side in order}
            if number:  # the first one warms up
                figures.append([measured[side] for side in range(len(sides))])
    for side, told in ((0, "there"), (1, "here")):
        speed, cpu = (statistics.median(one[side][part] for one in figures) for part in (0, 1))
        ratios = {
            other: [statistics.median(one[other][part] / one[0][part] for one in figures) for part in (0, 1)]
            for other in (1, 2)
        }
        shown = {"": told, "frames/s": f"{speed:,.0f}", "CPU µs/frame": f"{cpu * 1e6:.1f}"}
        if side:
            (ratio, cpu_ratio), (noise, cpu_noise) = ratios[1], ratios[2]
            shown |= {"ratio": f"{ratio:.1%}", "CPU ratio": f"{cpu_ratio:.1%}"}
            shown |= {"noise": f"{noise:.1%}", "CPU noise": f"{cpu_noise:.1%}"}
        else:
            shown |= dict.fromkeys(("ratio", "CPU ratio", "noise", "CPU noise"), "")
        table.row(shown, side=told, frames_per_s=speed, cpu_s_per_frame=cpu, ratio=ratios[1], noise=ratios[2])


def _burst(place: Place, listeners: Listeners) -> tuple[float, float]:
    """Return frames a second, and CPU seconds of the backend for each."""
    call = Call("POST", f"/channels/{place.world.channel_id}/messages", dumps({"content": "to all"}), status=201)
    frames = _MESSAGES * SOCKETS
    before = place.stack.cpu_s("backend")
    took = listeners.run(Burst((call.render(place.world.token),) * _MESSAGES, _SENDERS))
    return frames / took, (place.stack.cpu_s("backend") - before) / frames


@contextlib.contextmanager
def _listening(place: Place) -> Iterator[Listeners]:
    """Open a socket for each of the channel's members but the one who sends."""
    key = (place.stack.layout.home.secrets / "token_secret").read_text().strip()
    with place.stack.connect() as db:
        people = db.execute(
            "SELECT u.id, u.username FROM memberships m JOIN users u ON u.id = m.user_id "
            "WHERE m.channel_id = %s AND u.id <> %s ORDER BY u.id LIMIT %s",
            (place.world.channel_id, place.world.user_id, SOCKETS),
        ).fetchall()
        sessions = {int(str(user_id)): (str(username), new_session_id()) for user_id, username in people}
        found = db.execute("SELECT to_regclass('sessions') IS NOT NULL").fetchone()
        if found == (True,):
            with db.cursor() as cursor:
                cursor.executemany(
                    "INSERT INTO sessions (id, user_id, version, expires_at) "
                    "SELECT %s, id, session_version, now() + interval '1 hour' FROM users WHERE id = %s",
                    [(session_id, user_id) for user_id, (_, session_id) in sessions.items()],
                )
    handshakes = [
        handshake(user_id, f"Cookie: access_token={issue(key, Identity(user_id, username), session_id, _SESSION_S)}\r\n"
                  f"{INTERNAL_HEADER}: {INTERNAL_SECRET}\r\n")
        for user_id, (username, session_id) in sessions.items()
    ]  # fmt: skip
    with Listeners(place.stack.layout.ports["backend"], handshakes) as listeners:
        yield listeners
