"""`python -m benchmarks.interference.chatty`: the backend, whose workers also log as many warnings as a file says.

The file is named by CHATTER_FILE and holds warnings a second for one worker; it is looked at again and again. They are
logged where the backend logs, on the event loop.
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

CHATTER_FILE = "CHATTER_FILE"
_TICK_S = 0.002
_LOOK_EVERY = 25

logger = logging.getLogger("benchmarks.chatty")


async def chatter(control: Path) -> None:
    """Log evenly, for ever."""
    rate, owed, ticks, last = 0, 0.0, 0, time.monotonic()
    while True:
        if ticks % _LOOK_EVERY == 0:
            rate = int(control.read_text())  # noqa: ASYNC240  # ten microseconds, now and then
        ticks += 1
        await asyncio.sleep(_TICK_S)
        now = time.monotonic()
        owed, last = min(owed + (now - last) * rate, rate * 0.1), now
        while owed >= 1:
            owed -= 1
            fields = {"user_id": ticks, "kind": "unheard-of"}
            logger.warning("user %d sent a frame of kind %r", ticks, "unheard-of", extra={"fields": fields})


def make_chatty() -> None:
    """Let the application that this process is about to make log beside what it does."""
    from backend import app

    create = app.create_app

    def create_app() -> Any:
        made, tasks = create(), []

        async def chatty(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "lifespan":
                tasks.append(asyncio.create_task(chatter(Path(os.environ[CHATTER_FILE]))))
            await made(scope, receive, send)

        return chatty

    app.create_app = create_app


if __name__ == "__mp_main__":  # a worker: started by the server below as a process of its own
    make_chatty()
if __name__ == "__main__":
    sys.argv = ["backend", "serve"]
    runpy.run_module("backend", run_name="__main__")
