"""Serves the floor: `python -m benchmarks.floors.bare_django`."""

from __future__ import annotations

from data_processor import config
from granian import Granian
from granian.constants import Interfaces

THREADS = 4

if __name__ == "__main__":
    Granian(
        "benchmarks.floors.bare_django.wsgi:application",
        factory=True,
        port=config.current().port,
        interface=Interfaces.WSGI,
        workers=config.current().workers,
        blocking_threads=THREADS,
        backlog=1024,
        log_enabled=False,
    ).serve()
