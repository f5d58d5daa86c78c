"""Caddy, log-sink, and a backend that logs a given number of warnings a second."""

from __future__ import annotations

import os
import sys
from typing import Any

import psutil
import requests

from benchmarks.interference.chatty import CHATTER_FOLDER, replace_text
from benchmarks.stack import BenchStack
from plumbline.errors import PlumblineError
from plumbline.targets.embedded.programs import caddy_command, find_caddy
from plumbline.verification.throwaway import through_caddy, wait_until

WORKERS = 2
_COUNTS = ("received", "kept", "superseded", "dropped")


class ChattyStack:
    """The parts that a warning of the backend passes, on the Postgres and Redis of `here`."""

    def __init__(self, here: BenchStack) -> None:
        self._here = here
        self.front = here.layout.ports["front"]
        self._folder = here.layout.home.root / "chatter"
        self._folder.mkdir()
        self.log(0)
        self._start_caddy()
        here.serve("log-sink")
        environment = here.environment("backend", workers=WORKERS) | {CHATTER_FOLDER: str(self._folder)}
        here.start("backend", [sys.executable, "-m", "benchmarks.interference.chatty"], environment)
        here.wait_for("backend", f"http://127.0.0.1:{here.layout.ports['backend']}/health")

    def log(self, warnings: int) -> None:
        """Set the number of warnings that the backend logs per second."""
        replace_text(self._folder / "rate", warnings // WORKERS)

    def logged(self) -> int:
        """Return how many warnings the backend has logged since it started."""
        return sum(int(path.read_text()) for path in self._folder.glob("said-*[0-9]"))

    def counts(self) -> dict[str, int]:
        """Return the recorder's counts of the backend."""
        url = f"http://127.0.0.1:{self._here.layout.ports['log-sink']}/logs/stats"
        shown: dict[str, Any] = through_caddy("GET", url, timeout=5).json()["by_service"]
        return {name: shown.get("backend", {}).get(name, 0) for name in _COUNTS}

    def processes(self, name: str) -> list[psutil.Process]:
        """Return a program's processes."""
        process = psutil.Process(self._here.running[name].pid)
        return [process, *process.children(recursive=True)]

    def _start_caddy(self) -> None:
        caddy = find_caddy()
        if caddy is None:
            raise PlumblineError("caddy is not installed", hint="pip install --requirement requirements/dev.txt")
        environment = {"PATH": os.defpath, **self._here.layout.caddy_environment()}
        self._here.start("caddy", caddy_command(caddy), environment)
        url = f"http://127.0.0.1:{self._here.layout.ports['internal']}/health/live"
        wait_until(lambda: _status(url) == 204, "Caddy answers")


def _status(url: str) -> int:
    try:
        return requests.get(url, timeout=5).status_code
    except requests.RequestException:
        return 0
