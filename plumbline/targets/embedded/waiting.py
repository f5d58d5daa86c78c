"""Waits until processes are ready, or until they end."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import psutil

from plumbline.causes import cause
from plumbline.components import TABLE
from plumbline.errors import StepError
from plumbline.patience import Patience, work_of
from plumbline.targets.embedded.supervisor import Supervisor

PATIENCE_S = 120
"""How long a component may make no progress while it starts."""
MOST_S = 600
_WORK_S = 2.0
"""CPU time that counts as progress. Our probes, and a process that only waits, take less in that time."""
_POLL_S = 0.05
_POLL_LATER_S = 0.5
_CHILDREN_MAX = 2
"""How many server processes may end before their component is ready. After more, later ones will end, too."""
STORES = frozenset(one.name for one in TABLE if one.kind == "store")
"""Components whose child processes end normally: Postgres has one for each connection."""
Probe = Callable[[], str | None]


def written(logs: Path, name: str) -> int:
    """Return the size of a component's log; later output belongs to its next start."""
    try:
        return (logs / f"{name}.log").stat().st_size
    except OSError:
        return 0


class Starting:
    """A component that is starting. `before` is the size of its log before the start."""

    def __init__(self, supervisor: Supervisor, logs: Path, name: str, before: int) -> None:
        self._supervisor = supervisor
        self._log = logs / f"{name}.log"
        self._name = name
        self._before = before
        self._pid = supervisor.component(name).pid
        self._children: set[int] = set()

    def require_alive(self) -> None:
        """Raise StepError if the process has ended, even if the supervisor has restarted it."""
        component = self._supervisor.component(self._name)
        if component.state in ("failed", "stopped") or component.pid != self._pid:
            how = self._supervisor.last_end(self._name) or "unknown reason"
            raise StepError(
                self._because(f"{self._name} ended before it was ready ({how})"),
                component=self._name,
                exit_code=self._supervisor.exit_status(self._name),
            )
        ended = self._ended_children() if self._name not in STORES else 0
        if ended > _CHILDREN_MAX:
            raise StepError(
                self._because(f"the server processes of {self._name} end as soon as they start, {ended} so far"),
                component=self._name,
            )

    def work(self) -> int:
        """Return how often the component has used a few seconds of CPU time."""
        return int(work_of(self._pid) / _WORK_S)

    def _ended_children(self) -> int:
        with contextlib.suppress(psutil.Error):
            now = {child.pid for child in psutil.Process(self._pid).children()}
            self._children |= now
            return len(self._children - now)
        return 0

    def _because(self, sentence: str) -> str:
        with contextlib.suppress(OSError), self._log.open("rb") as log:
            log.seek(self._before)
            why = cause(log.read().decode(errors="replace").splitlines())
            return f"{sentence}: {why}" if why else sentence
        return sentence


def until_ready(
    starting: Mapping[str, Starting], probes: Mapping[str, Probe], settled: tuple[str, ...] = ()
) -> dict[str, str | None]:
    """Wait until each probe returns None or one of `settled`. Raises StepError at once if a process ends."""
    began = time.monotonic()
    patience = {name: Patience(PATIENCE_S, MOST_S) for name in probes}
    answers: dict[str, str | None] = {}
    while True:
        for name in probes.keys() - answers.keys():
            reason = probes[name]()
            if reason is None or reason in settled:
                answers[name] = reason
                continue
            starting[name].require_alive()
            if patience[name].is_over(partial(_progress, starting[name], reason)):
                raise StepError(f"{name} was not ready after {patience[name]}: {reason}", component=name)
        if answers.keys() == probes.keys():
            return answers
        time.sleep(_POLL_S if time.monotonic() - began < PATIENCE_S / 10 else _POLL_LATER_S)


def _progress(starting: Starting, reason: str) -> tuple[str, int]:
    return reason, starting.work()
