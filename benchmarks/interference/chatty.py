"""`python -m benchmarks.interference.chatty`: the backend, whose workers also log as many warnings as a file says.

CHATTER_FOLDER names a folder. Its file `rate` holds warnings a second for one worker; each worker reads it again and
again, and writes into a file `said-<pid>` how many it has logged. Warnings are logged where the backend logs, on the
event loop.
"""

from __future__ import annotations

import asyncio
import logging
import os
import runpy
import sys
import time
from pathlib import Path
from typing import Any

CHATTER_FOLDER = "CHATTER_FOLDER"
_TICK_S = 0.002
_TICKS_BETWEEN_READS = 25

logger = logging.getLogger("benchmarks.chatty")


async def chatter(folder: Path) -> None:
    """Log evenly, for ever."""
    rate, owed, said, ticks, last = 0, 0.0, 0, 0, time.monotonic()
    while True:
        if ticks % _TICKS_BETWEEN_READS == 0:
            rate = int((folder / "rate").read_text())
            replace_text(folder / f"said-{os.getpid()}", said)
        ticks += 1
        await asyncio.sleep(_TICK_S)
        now = time.monotonic()
        owed, last = min(owed + (now - last) * rate, rate * 0.1), now
        while owed >= 1:
            owed -= 1
            said += 1
            fields = {"user_id": ticks, "kind": "unheard-of"}
            logger.warning("user %d sent a frame of kind %r", ticks, "unheard-of", extra={"fields": fields})


def replace_text(path: Path, value: int) -> None:
    """Write a number so that a reader sees either the old one or the new one."""
    beside = path.with_suffix(".new")
    beside.write_text(str(value))
    beside.replace(path)


def make_chatty() -> None:
    """Make the application that this process is about to create log beside its work."""
    from backend import app

    create = app.create_app

    def create_app() -> Any:
        made, tasks = create(), []

        async def chatty(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "lifespan":
                tasks.append(asyncio.create_task(chatter(Path(os.environ[CHATTER_FOLDER]))))
            await made(scope, receive, send)

        return chatty

    app.create_app = create_app


if __name__ == "__mp_main__":  # a worker, which the server below starts as a process of its own
    make_chatty()
if __name__ == "__main__":
    sys.argv = ["backend", "serve"]
    runpy.run_module("backend", run_name="__main__")
