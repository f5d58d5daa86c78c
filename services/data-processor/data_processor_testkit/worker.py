"""`python -m data_processor_testkit.worker work`: the worker, with kinds of jobs that tests control by rows and files.

Each worker process imports this module, too.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from pathlib import Path

import psycopg
from data_processor import __main__ as service
from data_processor.jobs.tasks import KINDS, Kind

TABLE = "CREATE TABLE IF NOT EXISTS job_notes (id serial, name text, pid integer, note text)"
_LONGEST_S = 120.0


def _note(name: str, note: str) -> None:
    from data_processor.database import statements

    sql = "INSERT INTO job_notes (name, pid, note) VALUES (%(name)s, %(pid)s, %(note)s) RETURNING id"
    statements.row(sql, {"name": name, "pid": os.getpid(), "note": note})


def _give_up(name: str, reason: str) -> None:
    _note(name, f"given up: {reason}")


def released(folder: Path, pid: int) -> Path:
    """Return the file that ends the `hold` of a process."""
    return folder / f"released-{pid}"


def _hold(name: str) -> None:
    """Take until the test releases this process."""
    _note(name, "begun")
    file = released(Path(tempfile.gettempdir()), os.getpid())
    deadline = time.monotonic() + _LONGEST_S
    while not file.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    _note(name, "done")


def _die(name: str) -> None:
    _note(name, "begun")
    os.kill(os.getpid(), signal.SIGKILL)


def _stumble(name: str) -> None:
    """Fail at the first try, for a reason that passes."""
    file = Path(tempfile.gettempdir()) / f"stumbled-{name}"
    if not file.exists():
        file.touch()
        raise psycopg.OperationalError("away for a moment")
    _note(name, "done")


def _fall(name: str) -> None:
    _note(name, "begun")
    raise ValueError("this will never work")


KINDS.add("note", Kind(lambda name: _note(name, "done"), _give_up))
KINDS.add("hold", Kind(_hold, _give_up))
KINDS.add("die", Kind(_die, _give_up))
KINDS.add("stumble", Kind(_stumble, _give_up))
KINDS.add("fall", Kind(_fall, _give_up))

if __name__ == "__main__":
    sys.exit(service.main())
