"""The watch of the stack: `python -m plumbline.targets.embedded.watch HOME PORTS RELEASE`, run by the supervisor.

It kills hanging components, which the supervisor then restarts, and rotates log files.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from plumbline import home_files
from plumbline.components import SPECS
from plumbline.home import Home
from plumbline.patience import work_of
from plumbline.plan import lineup_of
from plumbline.targets.embedded import liveness
from plumbline.targets.embedded.liveness import ANSWER_S, Heartbeat, LivenessRequest
from plumbline.targets.embedded.supervisor import LOG_FILES_KEPT, LOG_MAX_BYTES, OWN_LOGS, Supervisor

EVERY_S = 5.0
YOUNG_S = 60.0
"""A younger component is still starting, and is not checked."""
STARTING_S = 300.0
"""On a busy machine it may be starting for so long, if it uses CPU and has not answered yet."""


class HangDetector:
    """Counts consecutive failed checks of a component, and detects when it hangs."""

    def __init__(self, failures_max: int) -> None:
        self._failures_max = failures_max
        self._failures = 0
        self._asked_at: float | None = None

    def observe(self, reason: str | None, now: float) -> bool:
        """Take the result of the last check, None if it passed; return whether to restart the component."""
        # After such a long pause, this machine slept or was overloaded.
        late = self._asked_at is not None and now - self._asked_at > 2 * (EVERY_S + ANSWER_S)
        self._asked_at = now
        self._failures = 0 if reason is None or late else self._failures + 1
        if self._failures < self._failures_max:
            return False
        self._failures = 0
        return True


def failures_of(name: str) -> int:
    """Return how many consecutive checks of a component may fail."""
    return round(SPECS[name].hangs_after_s / (EVERY_S + ANSWER_S))


def keep_alive(
    name: str,
    check: LivenessRequest | Heartbeat,
    supervisor: Supervisor,
    is_supervised: Callable[[], bool],
    failures_max: int,
) -> None:
    """Kill a component whenever it hangs, as long as `is_supervised` returns True."""
    detector = HangDetector(failures_max)
    start = Start(name, check, supervisor)
    while is_supervised():
        time.sleep(EVERY_S)
        reason = liveness.silent(check)
        if reason is None:
            start.answered()
        elif not start.is_over():
            reason = None
        if detector.observe(reason, time.monotonic()):
            pid = supervisor.component(name).pid
            supervisor.kill(name)
            with contextlib.suppress(OSError):  # a full disk must not end the watch
                print(f"{name} hung ({reason}): killed pid {pid}", flush=True)


class Start:
    """Tells whether a component has had its time to start."""

    def __init__(self, name: str, check: LivenessRequest | Heartbeat, supervisor: Supervisor) -> None:
        self._name = name
        self._supervisor = supervisor
        # A heartbeat that is fresh may be so old, and of the process before.
        self._late_s = liveness.HEARTBEAT_S if isinstance(check, Heartbeat) else 0.0
        self._answered_at = float("-inf")
        self._work = 0.0

    def answered(self) -> None:
        """Note that the component has just answered."""
        self._answered_at = time.monotonic() - self._late_s

    def is_over(self) -> bool:
        """Return whether a component that does not answer should. One that is stopped should not."""
        age = self._supervisor.age(self._name)
        if age is None or age <= YOUNG_S:
            return False
        if age > STARTING_S or time.monotonic() - self._answered_at < age:
            return True
        before, self._work = self._work, work_of(self._supervisor.component(self._name).pid)
        return self._work == before


def rotate_logs(logs: Path) -> None:
    """Copy and truncate large log files. Their writers append, and so continue at the beginning."""
    for path in home_files.logs(logs):
        # The disk may be full, or the file deleted: the watch continues and tries again next time.
        with contextlib.suppress(OSError):
            if path.name not in OWN_LOGS and path.stat().st_size > LOG_MAX_BYTES:
                _rotate(path)


def _rotate(path: Path) -> None:
    for number in range(LOG_FILES_KEPT - 1, 1, -1):
        older = path.with_name(f"{path.name}.{number - 1}")
        if older.exists():
            older.replace(path.with_name(f"{path.name}.{number}"))
    shutil.copyfile(path, path.with_name(f"{path.name}.1"))
    os.truncate(path, 0)


def main(home: Home, ports: dict[str, int], release: str) -> None:
    """Watch until the supervisor ends."""
    supervising = os.getppid()

    def is_supervised() -> bool:
        return os.getppid() == supervising

    for name, check in liveness.checks(home, ports, lineup_of(release).table).items():
        # Each thread has its own connection to the supervisor.
        arguments = (name, check, Supervisor(home), is_supervised, failures_of(name))
        threading.Thread(target=keep_alive, args=arguments, daemon=True).start()
    while is_supervised():
        rotate_logs(home.logs)
        time.sleep(EVERY_S)


if __name__ == "__main__":
    main(Home(Path(sys.argv[1])), json.loads(sys.argv[2]), sys.argv[3])
