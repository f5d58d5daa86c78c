"""The remote target: a stack that somebody else deployed. It is asked and written to as by its users, never stopped.

Only its base URL is needed. What a check needs beyond what was given makes that check end with NotGivenError.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, cast

import psycopg
import requests
from psycopg.conninfo import conninfo_to_dict
from servicekit import facts

from plumbline import net, recorder
from plumbline.errors import NotGivenError, PlumblineError
from plumbline.identity import compare, health_of
from plumbline.plan import HEALTH_PATHS
from plumbline.stack import Component, OperatorAccount, PostgresAddress, RedisAddress, Stack
from plumbline.verification.checks import rows

_TIMEOUT_S = 10


@dataclass(frozen=True, slots=True)
class Access:
    """What somebody knows about a remote stack. The DSN file holds one libpq connection string or URI."""

    base_url: str
    database_dsn_file: Path | None = None
    redis_url: str | None = None
    redis_password_file: Path | None = None
    operator_password_file: Path | None = None


class _NotGiven:
    """Stands where an address would be; using it says which option is missing."""

    def __init__(self, what: str, option: str) -> None:
        self._what, self._option = what, option

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        raise NotGivenError(f"needs {self._what} ({self._option})")


class RemoteTarget:
    """A stack behind a base URL. See `plumbline.targets.base.Target`; all that would change it is refused."""

    name = "remote"

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

    def problems(self) -> list[str]:
        """Return why the stack cannot be proven; nothing if it is one whole, and all that was given opens it."""
        stack = self.stack()
        return compare(self._base_url, stack.stack_id) or list(self._misgiven(stack))

    def _misgiven(self, stack: Stack) -> Iterator[str]:
        """What was given and does not open this stack: better said once than by every check that uses it."""
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
        """Say whether the stack is up."""
        return not self.problems()

    def from_this_checkout(self) -> bool:
        """Nobody can tell from outside; what it answers is compared instead."""
        return True

    def stack(self) -> Stack:
        """Return the stack as it is seen from outside: its front door and the services behind it."""
        front = self._base_url + HEALTH_PATHS["backend"]
        try:
            with net.direct_session() as http:
                body: Any = http.get(front, timeout=_TIMEOUT_S).json()
            stack_id, version = str(body["stack_id"]), str(body["version"])
        except requests.exceptions.SSLError as error:
            raise PlumblineError(
                f"{front} shows a certificate that nobody here trusts ({_first_cause(error)}): give that of its "
                "authority with --ca-file"
            ) from None
        except (requests.RequestException, KeyError, TypeError) as error:
            raise PlumblineError(
                f"{front} is not the health of a Plumbline stack ({_first_cause(error)}): is --base-url its front door?"
            ) from None
        components = [self.component(name) for name in HEALTH_PATHS]
        return Stack(
            stack_id=stack_id, target=self.name, phase="ready", version=version, home="", base_url=self._base_url,
            postgres=self._postgres, redis=self._redis, operator=self._operator, components=tuple(components),
        )  # fmt: skip

    def component(self, name: str) -> Component:
        """Return the state of a service; of the others nothing is known."""
        if name not in HEALTH_PATHS:
            raise NotGivenError(f"needs to look at {name} itself (nobody can on a remote stack)")
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

    def log_tail(self, component: str, lines: int) -> list[str]:
        """Return nothing: its logs are its owner's."""
        del component, lines
        return []

    def describe(self) -> dict[str, str]:
        """Return nothing beyond what `stack` says."""
        return {}


def _refuse(*_: str) -> NoReturn:
    raise NotGivenError("needs to stop or start parts (never done to a remote stack)")


class _GivenPostgres(PostgresAddress):
    """The database of a DSN file, with all that this says, such as about TLS. The file is `password_file`."""

    @classmethod
    def in_file(cls, file: Path) -> _GivenPostgres:
        """Return the address in `file`. Raises PlumblineError if it holds none."""
        given = _conninfo(file)
        return cls(str(given.get("host", "")), 0, str(given.get("dbname", "")), str(given.get("user", "")), str(file))

    def parameters(self) -> dict[str, Any]:
        """Return the parameters as they were given."""
        return _conninfo(Path(self.password_file))


def _conninfo(file: Path) -> dict[str, Any]:
    try:
        given = conninfo_to_dict(file.read_text().strip())
    except OSError as error:
        raise PlumblineError(f"the DSN file {file} cannot be read: {error.strerror}") from None
    except (psycopg.ProgrammingError, ValueError):
        given = {}
    if not given:
        # What libpq says quotes the string, and the string holds a password.
        raise PlumblineError(f"the DSN file {file} holds no libpq connection string or URI")
    return dict(given)


def _not_the_database_of(stack: Stack) -> str | None:
    try:
        with rows.connect(stack) as database:
            if not rows.many(database, "stack_events", stack_id=stack.stack_id):
                return f"is not that of {stack.base_url}: it knows of no deployment {stack.stack_id}"
    except psycopg.errors.UndefinedTable:
        return "is no Plumbline's: it has no stack_events"
    except psycopg.Error as error:
        return f"cannot be used: {' '.join(str(error).split())}"
    return None


def _first_cause(error: BaseException) -> str:
    """Return the innermost reason in one line: what wraps it names classes and addresses in memory."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    return f"{error.__class__.__name__}: {error}"
