"""`python -m backend serve|migrate|wait|accounts`."""

from __future__ import annotations

import argparse
import os
import sys

import psycopg
from pydantic import ValidationError
from servicekit import forking
from servicekit.facts import EXIT_CONFIG, EXIT_FAILED, EXIT_TEMPORARY
from servicekit.lifeline import watched_workers
from servicekit.log.setup import configure_logging
from servicekit.migrations import MigrationLockError
from servicekit.own_folder import own_folder
from servicekit.secrets import SecretError
from servicekit.settings import explain
from servicekit.stopping import announced_stops
from servicekit.waiting import WaitError, wait_for

from backend import account_commands
from backend.settings import CLAIM_VARIABLE, SERVICE, BackendSettings, load

_STOP_S = 5


def main() -> int:
    """Run one command; return its exit code: 0 done, 78 settings or secrets unusable, 75 try again later, 1 other."""
    parser = argparse.ArgumentParser(prog="python -m backend", description="Plumbline's backend service.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve", help="serve requests until stopped")
    migrate = commands.add_parser("migrate", help="bring the database schema to head and create the first operator")
    migrate.add_argument("--back-to", metavar="REVISION", help="reverse the migrations after this one instead")
    wait = commands.add_parser("wait", help="wait until the database schema is at head, with a time limit")
    wait.add_argument("what", nargs="?", choices=["schema", "database"], default="schema", help="(default: schema)")
    accounts = commands.add_parser("accounts", help="list, create or change accounts; passwords are read from stdin")
    account_commands.add_arguments(accounts)
    arguments = parser.parse_args()
    try:
        settings = load()
        if arguments.command == "wait":
            return _wait(settings, arguments.what)
        if arguments.command == "accounts":
            return _accounts(arguments, settings)
        return _serve(settings) if arguments.command == "serve" else _migrate(settings, arguments.back_to)
    except ValidationError as error:
        return _refuse(EXIT_CONFIG, f"bad settings: {explain(error)}")
    except SecretError as error:
        return _refuse(EXIT_CONFIG, str(error))
    except (MigrationLockError, WaitError) as error:
        return _refuse(EXIT_TEMPORARY, str(error))
    except psycopg.OperationalError as error:
        reason = str(error).strip() or type(error).__name__
        return _refuse(EXIT_TEMPORARY, f"the database cannot be used: {' '.join(reason.split())}")


def _refuse(code: int, sentence: str) -> int:
    print(f"{SERVICE}: {sentence}", file=sys.stderr)
    return code


def _migrate(settings: BackendSettings, back_to: str | None) -> int:
    # Imported here: `serve` does not need Alembic.
    from backend.migrate import MigrationError, migrate

    configure_logging(SERVICE, settings.log_level, settings.log_forwarding())
    try:
        print(f"schema at {migrate(settings, back_to)}")
    except MigrationError as error:
        return _refuse(EXIT_FAILED, str(error))
    return 0


def _accounts(arguments: argparse.Namespace, settings: BackendSettings) -> int:
    from backend.administration import RefusedError

    try:
        account_commands.run(arguments, settings)
    except RefusedError as error:
        return _refuse(EXIT_FAILED, str(error))
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn):
        return _refuse(EXIT_FAILED, "the database is not migrated to this release: run ./deploy-local.sh first")
    return 0


def _wait(settings: BackendSettings, what: str) -> int:
    from backend import migrations

    wait_for(
        "the database" if what == "database" else "the backend's schema",
        settings.conninfo(f"{SERVICE} wait"),
        migrations.find_mismatch if what == "schema" else lambda _connection: None,
        settings.schema_wait_s,
        lambda sentence: print(f"{SERVICE}: {sentence}", file=sys.stderr, flush=True),
    )
    return 0


def _serve(settings: BackendSettings) -> int:
    from granian import Granian
    from granian.constants import Interfaces, Loops

    # Read before workers start, so that a missing file is reported once, in one sentence.
    settings.conninfo(SERVICE)
    settings.token_secret()
    settings.redis_password()
    settings.internal_secret()
    configure_logging(SERVICE, settings.log_level, settings.log_forwarding())
    with (
        own_folder("backend") as folder,
        announced_stops() as announce,
        watched_workers() as watch,
    ):
        os.environ[CLAIM_VARIABLE] = str(folder / "ready")
        server = Granian(
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
            # Granian's own messages, such as a dead worker, go to the same log as ours.
            log_dictconfig={"handlers": {}, "formatters": {}, "loggers": {"_granian": {"propagate": True}}},
        )
        forking.prepare(["backend.app", "granian.server.mp"])
        server.on_startup(announce)
        server.on_startup(watch)
        server.serve()
    return 0


if __name__ == "__main__":
    sys.exit(main())
