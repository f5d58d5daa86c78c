"""`python -m baseline serve`."""

from __future__ import annotations

import argparse
import multiprocessing
import sqlite3
import sys

from granian import Granian
from granian.constants import Interfaces, Loops
from pydantic import ValidationError
from servicekit.facts import EXIT_CONFIG, EXIT_TEMPORARY
from servicekit.lifeline import watched_workers
from servicekit.log.setup import configure_logging
from servicekit.secrets import SecretError, read_secret
from servicekit.settings import explain
from servicekit.stopping import announced_stops

from baseline.settings import SERVICE, BaselineSettings, load
from baseline.web import Baseline


def main() -> int:
    """Serve until stopped; return the exit code: 0 stopped, 75 the database cannot be used, 78 settings or secrets."""
    parser = argparse.ArgumentParser(prog="python -m baseline", description="Plumbline as it was before Postgres.")
    parser.add_argument("command", choices=["serve"], help="serve requests until stopped")
    parser.parse_args()
    try:
        settings = load()
        settings.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        read_secret(settings.operator_password_file)
        Baseline(settings).store.close()  # what is wrong is said once, in one sentence
        _serve(settings)
    except (ValidationError, SecretError) as error:
        reason = explain(error) if isinstance(error, ValidationError) else error
        print(f"{SERVICE}: {reason}", file=sys.stderr)
        return EXIT_CONFIG
    except (sqlite3.Error, OSError) as error:
        print(f"{SERVICE}: {settings.folder} cannot be used: {error}", file=sys.stderr)
        return EXIT_TEMPORARY
    return 0


def _serve(settings: BaselineSettings) -> None:
    configure_logging(SERVICE, settings.log_level, settings.log_forwarding())
    with announced_stops() as announce, watched_workers() as watch:
        server = Granian(
            "baseline.app:create_app", factory=True, address=settings.host, port=settings.port,
            interface=Interfaces.ASGI, loop=Loops.uvloop, workers=1, respawn_failed_workers=True, respawn_interval=1.0,
            workers_kill_timeout=5,
            log_dictconfig={"handlers": {}, "formatters": {}, "loggers": {"_granian": {"propagate": True}}},
        )  # fmt: skip
        multiprocessing.set_start_method("spawn")
        server.on_startup(announce)
        server.on_startup(watch)
        server.serve()


if __name__ == "__main__":
    sys.exit(main())
