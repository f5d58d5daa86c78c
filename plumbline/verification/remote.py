"""The remote target: a stack deployed elsewhere. It is used like by its users, never started or stopped.

Only its base URL is required. A check that needs an option that was not given gets NotGivenError.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn, cast

import psycopg
import requests
from psycopg.conninfo import conninfo_to_dict
from servicekit import facts

from plumbline import net, recorder
from plumbline.components import CADDY, HEALTH_PATHS
from plumbline.errors import NotGivenError, PlumblineError
from plumbline.https.door import Https
from plumbline.identity import compare, health_of
from plumbline.inside import Inside, Process
from plumbline.plan import TODAY
from plumbline.stack import Component, OperatorAccount, PostgresAddress, RedisAddress, Stack
from plumbline.verification.checks import rows

_TIMEOUT_S = 30


@dataclass(frozen=True, slots=True)
class Access:
    """Addresses and secret files of a remote stack. The DSN file holds one libpq connection string or URI."""

    base_url: str
    database_dsn_file: Path | None = None
    redis_url: str | None = None
    redis_password_file: Path | None = None
    operator_password_file: Path | None = None


class _NotGiven:
    """Placeholder for an address that was not given. Raises NotGivenError with the missing option when used."""

    def __init__(self, what: str, option: str) -> None:
        self._what, self._option = what, option

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        raise NotGivenError(f"needs {self._what} ({self._option})")


class RemoteTarget:
    """A stack behind a base URL. Implements `plumbline.targets.base.Target`; methods that change the stack refuse."""

    name = "remote"
    lineup = TODAY

    def __init__(self, access: Access) -> None:
        self._access = access
        self._base_url = access.base_url.rstrip("/")
        self._postgres = (
            _GivenPostgres.in_file(access.database_dsn_file)
            if access.database_dsn_file
            else cast(PostgresAddress, _NotGiven("the stack's database", "--database-dsn-file"))
        )
        self._redis = (
            RedisAddress(access.redis_url, str(access.redis_password_file) if access.redis_password_file else None)
            if access.redis_url
            else cast(RedisAddress, _NotGiven("the stack's Redis", "--redis-url"))
        )
        self._operator = (
            OperatorAccount(facts.OPERATOR_USERNAME, str(access.operator_password_file))
            if access.operator_password_file
            else cast(OperatorAccount, _NotGiven("the operator's password", "--operator-password-file"))
        )

    def switch(self, release: str, snapshot: str = "") -> None:
        """Refused."""
        _refuse(release, snapshot)

    def database_restored(self) -> None:
        """Refused."""
        _refuse()

    def drop_database(self) -> None:
        """Refused."""
        _refuse()

    def want_https(self, https: Https | None) -> None:
        """Refuse: the stack's certificates are managed elsewhere."""
        raise NotGivenError("needs to deploy the stack (not possible on a remote stack)")

    def problems(self) -> list[str]:
        """Return why the stack cannot be verified: its state, or addresses and secrets that do not work."""
        stack = self.stack()
        return compare(self._base_url, stack.stack_id) or list(self._access_problems(stack))

    def _access_problems(self, stack: Stack) -> Iterator[str]:
        """Yield what is wrong with the given addresses and secrets, so that it is reported once."""
        file = self._access.database_dsn_file
        if file:
            reason = _not_the_database_of(stack)
            if reason:
                yield f"the database that {file} names {reason}"
        if self._access.redis_url:
            reason = self._redis.problem(_TIMEOUT_S)
            if reason:
                yield f"the Redis of --redis-url cannot be used: {reason} (--redis-password-file)"
        if self._access.operator_password_file:
            try:
                recorder.operator_session(stack).close()
            except PlumblineError as error:
                yield f"{error} (--operator-password-file)"

    def unchanged(self) -> bool:
        """Return whether the stack is up."""
        return not self.problems()

    def from_this_checkout(self) -> bool:
        """Return True: this cannot be seen from outside. Versions are compared instead."""
        return True

    def stack(self) -> Stack:
        """Return the stack as seen from outside: its front door and services. Raises PlumblineError."""
        front = self._base_url + CADDY.health_path
        try:
            with net.direct_session() as http:
                body: Any = http.get(front, timeout=_TIMEOUT_S).json()
            stack_id, version = str(body["stack_id"]), str(body["version"])
        except requests.exceptions.SSLError as error:
            raise PlumblineError(
                f"{front} has a certificate that this machine does not trust ({_root_cause(error)}): give its "
                "authority's certificate with --ca-file"
            ) from None
        except (requests.RequestException, KeyError, TypeError) as error:
            raise PlumblineError(
                f"{front} is not the health page of a Plumbline stack ({_root_cause(error)}): check --base-url"
            ) from None
        components = [self.component(name) for name in HEALTH_PATHS]
        return Stack(
            stack_id=stack_id, target=self.name, phase="ready", version=version, home="", base_url=self._base_url,
            postgres=self._postgres, redis=self._redis, operator=self._operator, components=tuple(components),
        )  # fmt: skip

    def component(self, name: str) -> Component:
        """Return the state of a service. Raises NotGivenError for other components."""
        if name not in HEALTH_PATHS:
            raise NotGivenError(f"needs access to {name} (not possible on a remote stack)")
        reason = health_of(self._base_url + HEALTH_PATHS[name]).reason
        return Component(name, "failed" if reason else "running", detail=reason or "")

    def begin(self) -> None:
        """Refused."""
        _refuse()

    def run(self, step: str) -> str:
        """Refused."""
        _refuse(step)

    def down(self) -> list[str]:
        """Refused."""
        _refuse()

    def remove(self) -> list[str]:
        """Refused."""
        _refuse()

    def start(self, *components: str) -> None:
        """Refused."""
        _refuse(*components)

    def stop(self, *components: str) -> None:
        """Refused."""
        _refuse(*components)

    def kill(self, component: str) -> None:
        """Refused."""
        _refuse(component)

    def kill_process(self, process: Process) -> None:
        """Refused."""
        _refuse(process.component)

    def inside(self) -> Inside:
        """Refused: its processes are its owner's."""
        raise NotGivenError("needs to look into the stack's processes (not available for a remote stack)")

    def migrate_back(self, name: str, revision: str) -> None:
        """Refused."""
        _refuse(name, revision)

    def postgres_command(self, program: str, *arguments: str) -> list[str]:
        """Refused."""
        return self.postgres_script(program, *arguments)

    def throwaway_postgres(self, script: str, *arguments: str) -> AbstractContextManager[list[str]]:
        """Refused."""
        return nullcontext(self.postgres_script(script, *arguments))

    def postgres_script(self, script: str, *arguments: str) -> list[str]:
        """Refused: its machine is its owner's."""
        raise NotGivenError("needs the programs of the stack's Postgres (not available for a remote stack)")

    def execute(self, component: str, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Refused: its programs are its owner's."""
        raise NotGivenError(f"needs to run a command of the {component} (not possible on a remote stack)")

    def schedule_backups(self, every: str, keep: int) -> str:
        """Refused."""
        return self.fetch_backup(Path())

    def scheduled_backup(self) -> datetime | None:
        """Return None: the backups are not accessible."""
        return None

    def fetch_backup(self, place: Path) -> str:
        """Refused: backups are its owner's."""
        raise NotGivenError("needs the stack's backups (not available for a remote stack)")

    def log_tail(self, component: str, lines: int) -> list[str]:
        """Return no lines: the logs are not accessible."""
        del component, lines
        return []

    def describe(self) -> dict[str, str]:
        """Return no additional files."""
        return {}


def _refuse(*_: str) -> NoReturn:
    raise NotGivenError("needs to stop or start components (not possible on a remote stack)")


class _GivenPostgres(PostgresAddress):
    """The database of a DSN file, with all its parameters, such as TLS. The file is `password_file`."""

    @classmethod
    def in_file(cls, file: Path) -> _GivenPostgres:
        """Return the address in `file`. Raises PlumblineError if it holds none."""
        given = _conninfo(file)
        return cls(str(given.get("host", "")), 0, str(given.get("dbname", "")), str(given.get("user", "")), str(file))

    def parameters(self) -> dict[str, Any]:
        """Return all parameters of the DSN file."""
        return _conninfo(Path(self.password_file))


def _conninfo(file: Path) -> dict[str, Any]:
    try:
        given = conninfo_to_dict(file.read_text().strip())
    except OSError as error:
        raise PlumblineError(f"the DSN file {file} cannot be read: {error.strerror}") from None
    except (psycopg.ProgrammingError, ValueError):
        given = {}
    if not given:
        # libpq's message would quote the string, which holds a password.
        raise PlumblineError(f"the DSN file {file} holds no libpq connection string or URI")
    return dict(given)


def _not_the_database_of(stack: Stack) -> str | None:
    try:
        with rows.connect(stack) as database:
            if not rows.many(database, "stack_events", stack_id=stack.stack_id):
                return f"is not that of {stack.base_url}: it has no record of deployment {stack.stack_id}"
    except psycopg.errors.UndefinedTable:
        return "is not a Plumbline database: it has no table stack_events"
    except psycopg.Error as error:
        return f"cannot be used: {' '.join(str(error).split())}"
    return None


def _root_cause(error: BaseException) -> str:
    """Return the innermost error in one line."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    return f"{error.__class__.__name__}: {error}"
