"""`python -m data_processor migrate | serve | work | wait`."""

from __future__ import annotations

import argparse
import sys

import psycopg
from pydantic import ValidationError
from servicekit import facts
from servicekit.migrations import MigrationLockError
from servicekit.secrets import SecretError
from servicekit.settings import explain
from servicekit.waiting import WaitError

from data_processor import commands, config


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit code: 0 done, 1 failed, 75 try again later, 78 change a setting first."""
    parser = argparse.ArgumentParser(prog="python -m data_processor", description=__doc__)
    parser.add_argument("command", choices=["migrate", "serve", "work", "wait"])
    parser.add_argument("--back-to", metavar="REVISION", help="migrate: reverse the migrations after this one instead")
    parsed = parser.parse_args(arguments)
    if parsed.back_to and parsed.command != "migrate":
        parser.error("--back-to belongs to migrate")
    try:
        settings = config.current()
        settings.conninfo(config.SERVICE)
        settings.token_secret()
        settings.redis_password()
        settings.internal_secret()
        if parsed.back_to:
            return commands.migrate_back(settings, parsed.back_to)
        run = {"migrate": commands.migrate, "serve": commands.serve, "work": commands.work, "wait": commands.wait}
        return run[parsed.command](settings)
    except ValidationError as error:
        return _fail(facts.EXIT_CONFIG, f"settings: {explain(error)}")
    except SecretError as error:
        return _fail(facts.EXIT_CONFIG, str(error))
    except (commands.NewerSchemaError, commands.UnknownRevisionError) as error:
        return _fail(facts.EXIT_FAILED, str(error))
    except (MigrationLockError, WaitError, commands.NotYetError) as error:
        return _fail(facts.EXIT_TEMPORARY, str(error))
    except psycopg.OperationalError as error:
        return _fail(facts.EXIT_TEMPORARY, f"the database does not answer: {error}")


def _fail(code: int, sentence: str) -> int:
    print(f"data-processor: {' '.join(sentence.split())}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
