"""Processes that a stack left behind when its supervisor was killed."""

from __future__ import annotations

import contextlib
import signal
from pathlib import Path

import psutil


def find(directories: list[Path], supervisor_pid: int | None) -> list[psutil.Process]:
    """Return processes that work in one of `directories` and that no living supervisor answers for.

    Each component has a working directory of its own, which is what tells its processes from everybody else's: several
    servers overwrite their command line and environment.
    """
    wanted = {str(directory) for directory in directories}
    supervised: set[int] = set()
    if supervisor_pid is not None:
        with contextlib.suppress(psutil.NoSuchProcess):
            supervised = {child.pid for child in psutil.Process(supervisor_pid).children(recursive=True)}
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid not in supervised and process.cwd() in wanted and _is_server(process):
                found.append(process)
    return found


def _is_server(process: psutil.Process) -> bool:
    # Somebody's shell may stand in that directory too.
    name = Path(process.exe()).name
    return name.startswith(("postgres", "redis-server", "caddy", "python"))


def end(processes: list[psutil.Process]) -> None:
    """End processes: asked first (Postgres by a fast shutdown), killed after ten seconds."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGINT if Path(process.exe()).name == "postgres" else signal.SIGTERM)
    _, alive = psutil.wait_procs(processes, timeout=10)
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=5)
