"""Processes that are left over after a supervisor was killed."""

from __future__ import annotations

import contextlib
import signal
import time
from pathlib import Path

import psutil

from plumbline.components import TABLE, ComponentSpec

_STOP_WAIT_S = 15
_KILLED_S = 60.0


def find(directories: list[Path], supervisor_pid: int | None) -> list[psutil.Process]:
    """Return processes whose working directory is in `directories` and that have no running supervisor.

    The working directory identifies a component's processes, because it is unique and several servers overwrite their
    command line and environment.
    """
    wanted = {str(directory.resolve()) for directory in directories}
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.cwd() in wanted and _is_server(process) and not _is_under(supervisor_pid, process):
                found.append(process)
    return found


def _is_under(pid: int | None, process: psutil.Process) -> bool:
    # Of each process, not of a list made before: Postgres starts another for each connection.
    return pid is not None and any(parent.pid == pid for parent in process.parents())


def _is_server(process: psutil.Process) -> bool:
    # A user's shell may be in that directory, too.
    return _spec(process) is not None


def _spec(process: psutil.Process) -> ComponentSpec | None:
    """Return the first component that runs this program."""
    name = Path(process.exe()).name
    return next((one for one in TABLE if name.startswith(one.executables)), None)


def end(processes: list[psutil.Process]) -> None:
    """Stop processes with their stop signal (Postgres: fast shutdown), and kill those that do not end."""
    patience_s = _STOP_WAIT_S
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            spec = _spec(process)
            process.send_signal(signal.Signals[f"SIG{spec.stop_signal}"] if spec else signal.SIGTERM)
            patience_s = max(patience_s, spec.stop_wait_s if spec else 0)
    for process in wait(processes, patience_s):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    wait(processes, _KILLED_S)


def wait(processes: list[psutil.Process], timeout_s: float) -> list[psutil.Process]:
    """Wait until the processes have ended; return those that have not.

    A zombie counts as ended: in containers without an init process, nothing collects it.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        alive = [process for process in processes if _alive(process)]
        if not alive or time.monotonic() > deadline:
            return alive
        time.sleep(0.05)


def _alive(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False
