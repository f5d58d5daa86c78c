"""Shell scripts that run where the programs of the stack's own Postgres are, connected as the application's role."""

from __future__ import annotations

from servicekit import facts

from plumbline import ROOT
from plumbline.components import POSTGRES
from plumbline.stack import PostgresAddress

SCRIPTS = ROOT / "docker" / "postgres"
_CONNECT = (SCRIPTS / "connect.sh").read_text()
_THROWAWAY = (SCRIPTS / "throwaway.sh").read_text()
RUN_PROGRAM = 'program=$1; shift; exec "$program" --dbname="$connection" "$@"'


def connected(script: str, address: PostgresAddress, arguments: tuple[str, ...]) -> list[str]:
    """Return the command line that runs `script` in bash, with `connection` as libpq's connection string.

    `address` names host, port and password file as they are where the script runs.
    """
    where = (address.password_file, address.host, str(address.port), address.database, address.user)
    return ["bash", "-c", f"{_CONNECT}\n{script}", "plumbline", *where, *arguments]


def throwaway(script: str, folder: str, arguments: tuple[str, ...]) -> list[str]:
    """Return the command line that runs `script` in bash with a new, empty Postgres in `folder`, which it removes."""
    return [
        "bash",
        "-c",
        f"{_THROWAWAY}\n{script}",
        "plumbline",
        folder,
        facts.DATABASE_NAME,
        facts.DATABASE_USER,
        *arguments,
    ]


def in_its_container(password_file: str) -> PostgresAddress:
    """Return how a process in Postgres's own container reaches it."""
    return PostgresAddress("127.0.0.1", POSTGRES.port.number, facts.DATABASE_NAME, facts.DATABASE_USER, password_file)
