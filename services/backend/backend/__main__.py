"""`python -m backend serve|migrate`."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

import psycopg
from pydantic import ValidationError
from servicekit import logs
from servicekit.facts import EXIT_CONFIG, EXIT_TEMPORARY
from servicekit.migrations import MigrationLockError
from servicekit.secrets import SecretError
from servicekit.settings import explain

from backend.settings import SERVICE, BackendSettings, load

_STOP_S = 5


def main() -> int:
    """Run one command; return its exit code: 0 done, 78 settings or secrets unusable, 75 try again later, 1 other."""
    parser = argparse.ArgumentParser(prog="python -m backend", description="Plumbline's backend service.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve", help="answer requests until told to stop")
    commands.add_parser("migrate", help="bring the database schema to head and create the first operator")
    command = parser.parse_args().command
    try:
        settings = load()
        return _serve(settings) if command == "serve" else _migrate(settings)
    except ValidationError as error:
        return _refuse(EXIT_CONFIG, f"bad settings: {explain(error)}")
    except SecretError as error:
        return _refuse(EXIT_CONFIG, str(error))
    except MigrationLockError as error:
        return _refuse(EXIT_TEMPORARY, str(error))
    except psycopg.OperationalError as error:
        reason = str(error).strip() or type(error).__name__
        return _refuse(EXIT_TEMPORARY, f"the database cannot be used now: {' '.join(reason.split())}")


def _refuse(code: int, sentence: str) -> int:
    print(f"{SERVICE}: {sentence}", file=sys.stderr)
    return code


def _migrate(settings: BackendSettings) -> int:
    # Here, because serving needs neither Alembic's commands nor an engine.
    from backend.migrate import migrate

    logs.configure(SERVICE, settings.log_level, settings.log_forward_url)
    print(f"schema at {migrate(settings)}")
    return 0


def _serve(settings: BackendSettings) -> int:
    from granian import Granian
    from granian.constants import Interfaces, Loops

    from backend.app import CLAIM_VARIABLE

    # Read once before any process is started, so that a missing one is said in one sentence.
    settings.conninfo(SERVICE)
    settings.token_secret()
    logs.configure(SERVICE, settings.log_level, settings.log_forward_url)
    with tempfile.TemporaryDirectory(prefix="plumbline-backend-") as folder:
        os.environ[CLAIM_VARIABLE] = str(Path(folder) / "ready")
        Granian(
            "backend.app:create_app",
            factory=True,
            address=settings.host,
            port=settings.port,
            interface=Interfaces.ASGI,
            loop=Loops.uvloop,
            workers=settings.workers,
            respawn_failed_workers=True,
            respawn_interval=1.0,
            workers_kill_timeout=_STOP_S,
            # The server's own words (a worker died, say) take the way of all others.
            log_dictconfig={"handlers": {}, "formatters": {}, "loggers": {"_granian": {"propagate": True}}},
        ).serve()
    return 0


if __name__ == "__main__":
    sys.exit(main())
