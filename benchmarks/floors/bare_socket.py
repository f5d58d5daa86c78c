"""The floor of the backend's WebSocket: bare_asgi's echo, on granian as the backend is."""

from __future__ import annotations

from backend.settings import load
from granian import Granian
from granian.constants import Interfaces, Loops

from benchmarks.floors.bare_asgi import PROCESSES

if __name__ == "__main__":
    Granian(
        "benchmarks.floors.bare_asgi:app",
        port=load().port,
        interface=Interfaces.ASGI,
        loop=Loops.uvloop,
        workers=PROCESSES,
        log_enabled=False,
    ).serve()
