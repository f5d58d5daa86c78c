"""Waits that are bounded by progress: on a busy machine everything takes longer, and only what stands still hangs."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil

_LOOK_S = 1.0
_BUSY = {psutil.STATUS_RUNNING, psutil.STATUS_DISK_SLEEP}
_SUSPENDED = {psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP}


class Patience:
    """Ends `still_s` after the last progress, and after `most_s` even with progress (five times as long if not given).

    Progress is a sign that differs from the last one, such as the CPU time of a process or the number of rows.
    """

    def __init__(self, still_s: float, most_s: float | None = None) -> None:
        self.still_s = still_s
        self._most_s = 5 * still_s if most_s is None else most_s
        self._began = self._moved = time.monotonic()
        self._look_at = self._began
        self._sign: object = None

    def is_over(self, sign: Callable[[], object] = lambda: None) -> bool:
        """Look for progress, once a second at most, and return whether to give up."""
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + min(_LOOK_S, self.still_s / 4)
            seen = sign()
            if seen != self._sign:
                self._sign, self._moved = seen, now
        return now - self._moved >= self.still_s or now - self._began >= self._most_s

    def __str__(self) -> str:
        """Return how long it lasted, for a message."""
        return f"{round(time.monotonic() - self._began, 1):g} s"


def family(pid: int | None) -> list[psutil.Process]:
    """Return a process and all processes under it; none if it has ended."""
    if pid:
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            return [process, *process.children(recursive=True)]
    return []


@dataclass(frozen=True, slots=True)
class Activity:
    """What a process and all processes under it do, and the CPU time in seconds that they have used."""

    work: float
    is_busy: bool
    """Whether one of them computes, or waits for a core or a disk."""
    is_suspended: bool
    """Whether a signal or a debugger has stopped one of them, so that it cannot answer."""


def activity_of(pid: int | None) -> Activity:
    """Return what a process does; nothing if it has ended."""
    work, statuses = 0.0, set()
    for one in family(pid):
        with contextlib.suppress(psutil.Error):
            times = one.cpu_times()
            work += times.user + times.system + times.children_user + times.children_system
            statuses.add(one.status())
    return Activity(round(work, 2), bool(statuses & _BUSY), bool(statuses & _SUSPENDED))


def work_of(pid: int | None) -> float:
    """Return the CPU time, in seconds, that a process and all processes under it have used."""
    return activity_of(pid).work
