"""What can be wrong with the way of a warning. Each fault is begun and ended many times in one run."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import psutil
import redis
import requests

from benchmarks.interference.chatty import CHATTER_FILE
from benchmarks.stack import BenchStack
from plumbline.errors import PlumblineError
from plumbline.targets.embedded.programs import caddy_command, find_caddy
from plumbline.verification.throwaway import wait_until

WORKERS = 2
CHATTER = 10_000
"""Warnings a second of the one fault that is none: a service that has much to say."""
MURMUR = 200
"""Warnings a second on both sides of all others, so that there is something to hand over."""
_STOPPED_S, _RUNNING_S = 0.3, 0.1
_STOP_S = 10


@dataclass(frozen=True, slots=True)
class Fault:
    """`begin` and `end` return when it is there or gone; `warnings` a second are logged on the quiet side.

    Requests go through the front door, or, `direct`, to the backend itself.
    """

    name: str
    begin: Callable[[], None]
    end: Callable[[], None]
    warnings: int = MURMUR
    direct: bool = False


class Stack:
    """Backend, log-sink and Caddy of a benchmark, each to be stopped and started. The data-processor does not run."""

    def __init__(self, here: BenchStack) -> None:
        self._here = here
        self.front, self.backend = here.layout.ports["front"], here.layout.ports["backend"]
        self.redis = redis.Redis.from_url(here.redis.admin_url, socket_timeout=2)
        self._chatter_file = here.layout.home.root / "chatter"
        self.say(0)
        self._start_caddy()
        self.start_sink()
        environment = here.environment("backend") | {CHATTER_FILE: str(self._chatter_file)}
        here.start("backend", [sys.executable, "-m", "benchmarks.interference.chatty"], environment)
        here.wait_for("backend", f"http://127.0.0.1:{self.backend}/health")
        self._slowness: tuple[threading.Event, threading.Thread] | None = None

    def faults(self) -> list[Fault]:
        """Return every fault."""
        return [
            *(
                Fault(f"{warnings:,} warnings/s", partial(self.say, warnings), lambda: self.say(0), 0)
                for warnings in (CHATTER, CHATTER // 10)
            ),
            Fault("log-sink down", lambda: self._end("log-sink"), self.start_sink),
            Fault("log-sink hangs", lambda: self._signal("log-sink", signal.SIGSTOP), self._wake_sink),
            Fault("Caddy down", lambda: self._end("caddy"), self._start_caddy, direct=True),
            Fault("Redis down", self._here.redis.stop, self._start_redis),
            Fault("Redis slow", self._slow_down, self._speed_up),
        ]

    def say(self, warnings: int) -> None:
        """Let the backend log so many warnings a second from now on."""
        beside = self._chatter_file.with_suffix(".new")
        beside.write_text(str(warnings // WORKERS))
        beside.replace(self._chatter_file)

    def memory(self, name: str) -> int:
        """Return the resident bytes of a program and its processes; 0 if it does not run."""
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(self._here.running[name].pid)
            return sum(int(one.memory_info().rss) for one in (process, *process.children(recursive=True)))
        return 0

    def start_sink(self) -> None:
        """Start the log-sink and wait until it writes."""
        self._here.serve("log-sink")

    def takes_entries(self) -> bool:
        """Say whether entries reach Redis."""
        url = f"http://127.0.0.1:{self._here.layout.ports['log-sink']}/logs/health"
        with suppress(requests.RequestException):
            return requests.get(url, timeout=5).ok
        return False

    def _start_caddy(self) -> None:
        caddy = find_caddy()
        if caddy is None:
            raise PlumblineError("caddy is not installed", hint="pip install --requirement requirements/dev.txt")
        environment = {"PATH": os.defpath, **self._here.layout.caddy_environment()}
        self._here.start("caddy", caddy_command(caddy), environment)
        internal = self._here.layout.ports["internal"]
        wait_until(lambda: _status(f"http://127.0.0.1:{internal}/health/live") == 204, "Caddy answers")

    def _end(self, name: str) -> None:
        process = self._here.running[name]
        process.terminate()
        process.wait(_STOP_S)

    def _signal(self, name: str, number: signal.Signals) -> None:
        process = psutil.Process(self._here.running[name].pid)
        for one in (process, *process.children(recursive=True)):
            one.send_signal(number)

    def _wake_sink(self) -> None:
        self._signal("log-sink", signal.SIGCONT)
        wait_until(self.takes_entries, "the log-sink goes on")

    def _start_redis(self) -> None:
        self._here.redis.start()
        wait_until(self.takes_entries, "the log-sink has Redis again")

    def _slow_down(self) -> None:
        over = threading.Event()
        thread = threading.Thread(target=self._halt_redis, args=(over,))
        thread.start()
        self._slowness = over, thread

    def _halt_redis(self, over: threading.Event) -> None:
        pid = self._here.redis.pid
        while not over.is_set():
            os.kill(pid, signal.SIGSTOP)
            over.wait(_STOPPED_S)
            os.kill(pid, signal.SIGCONT)
            over.wait(_RUNNING_S)

    def _speed_up(self) -> None:
        if self._slowness is not None:
            over, thread = self._slowness
            over.set()
            thread.join()
        wait_until(self.takes_entries, "the log-sink has Redis again")


def _status(url: str) -> int:
    try:
        return requests.get(url, timeout=5).status_code
    except requests.RequestException:
        return 0
