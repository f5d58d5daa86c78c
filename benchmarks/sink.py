"""How many log entries a second the log-sink takes, beside a plain sink."""

from __future__ import annotations

import socket
import statistics
import sys
import time
from dataclasses import dataclass

import psutil
import redis
import requests

from benchmarks.dataset import LOG_LINE
from benchmarks.floors.plain_sink import COUNT_KEY
from benchmarks.report import Column, Report
from benchmarks.stack import BenchStack, bench_stack
from plumbline.net import free_port
from plumbline.verification.throwaway import THROUGH_CADDY, through_caddy, wait_until

ENTRIES = 400_000
PLAIN_ENTRIES = 8_000
ROUNDS = 3
_CORE = 0
_LINES_A_CALL = 500
_PATIENCE_S = 120
_COLUMNS = (
    Column("sink", -26), Column("entries", 9), Column("seconds", 8), Column("entries/s", 10),
    Column("CPU us/entry", 12), Column("ratio", 9),
)  # fmt: skip
_EXPLANATION = """\
One connection posts the backend's entries (350 bytes) as fast as they are taken. The sink is kept to one
core; sender and Redis use any. An entry counts once it is counted in Redis. The newest are kept.
"""


@dataclass(frozen=True, slots=True)
class Intake:
    """One round: entries, seconds until all were counted, and CPU seconds of the sink's processes."""

    entries: int
    seconds: float
    cpu_s: float

    @property
    def rate(self) -> float:
        """Entries a second."""
        return self.entries / self.seconds


def run(report: Report) -> None:
    """Measure both in turns and print the median round of each."""
    with bench_stack(migrated=False) as here:
        sinks = (_Sink(here), _PlainSink(here))
        rounds = [(_take_in(sinks[0], ENTRIES), _take_in(sinks[1], PLAIN_ENTRIES)) for _ in range(ROUNDS)]
    ratio = statistics.median(ours.rate / plain.rate for ours, plain in rounds)
    table = report.table("log entries over HTTP, one core", _COLUMNS)
    ours, plain = zip(*rounds, strict=True)
    for name, measured, factor in (("log-sink", ours, ratio), ("one XADD a line", plain, 1.0)):
        middle = sorted(measured, key=lambda intake: intake.rate)[len(measured) // 2]
        table.row(
            {
                "sink": name,
                "entries": f"{middle.entries:,}",
                "seconds": f"{middle.seconds:.2f}",
                "entries/s": f"{middle.rate:,.0f}",
                "CPU us/entry": f"{middle.cpu_s / middle.entries * 1e6:.1f}",
                "ratio": f"x {factor:.1f}",
            },
            sink=name,
            entries=middle.entries,
            seconds=middle.seconds,
            per_s=middle.rate,
            cpu_s=middle.cpu_s,
            ratio=factor,
        )
    report.say(_EXPLANATION)


class _Sink:
    """The log-sink."""

    def __init__(self, here: BenchStack) -> None:
        self.port = here.serve("log-sink", core=_CORE)
        self._url = f"http://127.0.0.1:{self.port}/logs/stats"
        self.process = psutil.Process(here.running["log-sink"].pid)

    def counted(self) -> int:
        """Return how many entries it has counted in Redis so far."""
        return int(through_caddy("GET", self._url, timeout=_PATIENCE_S).json()["received"])


class _PlainSink:
    """The plain sink."""

    def __init__(self, here: BenchStack) -> None:
        self.port = free_port()
        self._redis = redis.Redis.from_url(here.redis.admin_url)
        environment = here.environment("log-sink", ingest_port=self.port, redis_url=here.redis.admin_url)
        process = here.start("plain_sink", [sys.executable, "-m", "benchmarks.floors.plain_sink"], environment, _CORE)
        self.process = psutil.Process(process.pid)
        wait_until(self._listens, "the plain sink listens")

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def counted(self) -> int:
        """Return how many lines it has written so far."""
        return int(self._redis.get(COUNT_KEY) or 0)


def _take_in(sink: _Sink | _PlainSink, count: int) -> Intake:
    """Send `count` lines and wait until all are counted."""
    before, cpu_before = sink.counted(), _cpu_s(sink.process)
    begun = time.monotonic()
    with requests.Session() as sender:
        sender.headers.update(THROUGH_CADDY)
        for first in range(0, count, _LINES_A_CALL):
            body = LOG_LINE * min(_LINES_A_CALL, count - first)
            sender.post(f"http://127.0.0.1:{sink.port}/ingest", data=body, timeout=_PATIENCE_S).raise_for_status()
    wait_until(lambda: sink.counted() - before >= count, "every entry is counted", _PATIENCE_S)
    return Intake(count, time.monotonic() - begun, _cpu_s(sink.process) - cpu_before)


def _cpu_s(process: psutil.Process) -> float:
    times = [one.cpu_times() for one in (process, *process.children(recursive=True))]
    return sum(time.user + time.system for time in times)
