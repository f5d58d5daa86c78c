"""Stops a server in two steps: its processes first close their long-lived connections, then they are stopped.

WebSockets and live tails stay open until they are closed, and the server's own shutdown hook runs only after that. A
server that is stopped while they are open cuts them off.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import time
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

from servicekit.own_folder import own_folder

PATIENCE_S = 3.0
"""How long a server process may take to close its connections."""
_PREPARE_STOP = signal.SIGUSR1
"""Sent by the parent to each server process before it stops the server."""
_FOLDER_VARIABLE = "PLUMBLINE_STOP_FOLDER"
"""Environment variable with a folder that holds a file for each server process that closes connections first."""
_POLL_S = 0.01
_AGAIN_S = 0.5
"""Time after which a task that has not ended is cancelled again."""


@contextmanager
def announced_stops() -> Iterator[Callable[[], None]]:
    """Yield a hook for the server's on_startup: from then on SIGTERM and SIGINT wait until connections are closed."""
    with own_folder("stop") as folder:
        os.environ[_FOLDER_VARIABLE] = str(folder)
        yield lambda: _announce(folder)


def _announce(folder: Path) -> None:
    announced = False
    for number in (signal.SIGTERM, signal.SIGINT):
        stop = signal.getsignal(number)

        def announce(caught: int, frame: FrameType | None, stop: Any = stop) -> None:
            nonlocal announced
            # A second signal stops at once.
            if not announced:
                announced = True
                _close_connections(folder)
            stop(caught, frame)

        signal.signal(number, announce)


def _close_connections(folder: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    for pid in _with_connections(folder):
        with suppress(ProcessLookupError):
            os.kill(pid, _PREPARE_STOP)
    while _with_connections(folder) and time.monotonic() < deadline:
        time.sleep(_POLL_S)


def _with_connections(folder: Path) -> list[int]:
    living = [worker.pid for worker in multiprocessing.active_children()]
    return [pid for pid in living if pid is not None and (folder / str(pid)).exists()]


def on_stop(close: Callable[[], Awaitable[None]]) -> None:
    """Register `close`: at a stop it is awaited, for `PATIENCE_S` at most, before this process is stopped.

    Call it in the running event loop of a server process.
    """
    loop = asyncio.get_running_loop()
    tasks: list[asyncio.Task[None]] = []
    here = Path(os.environ[_FOLDER_VARIABLE]) / str(os.getpid())

    async def act() -> None:
        try:
            await asyncio.wait_for(close(), PATIENCE_S)
        finally:
            here.unlink(missing_ok=True)

    loop.add_signal_handler(_PREPARE_STOP, lambda: tasks.append(loop.create_task(act())))
    here.touch()


async def end(tasks: Collection[asyncio.Task[Any]]) -> list[Any]:
    """Cancel tasks, and return the result or exception of each when all have ended.

    One cancellation may not be enough: before Python 3.12 `asyncio.wait_for`, which redis-py uses, may swallow it.
    """
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=_AGAIN_S)
    return await asyncio.gather(*tasks, return_exceptions=True)
