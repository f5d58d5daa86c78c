"""The remote target: a stack that somebody else deployed. It is asked and written to as by its users, never stopped.

Only its base URL is needed. What a check needs beyond what was given makes that check end with NotGivenError.
"""

from __future__ import annotations

import atexit
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, cast

import psycopg
import requests
from psycopg.conninfo import conninfo_to_dict
from servicekit import facts

from plumbline.errors import NotGivenError, PlumblineError
from plumbline.identity import health_of
from plumbline.plan import HEALTH_PATHS
from plumbline.stack import Component, OperatorAccount, PostgresAddress, RedisAddress, Stack

_TIMEOUT_S = 10


@dataclass(frozen=True, slots=True)
class Access:
    """What somebody knows about a remote stack. The DSN file holds one libpq connection string or URI."""

    base_url: str
    database_dsn_file: Path | None = None
    redis_url: str | None = None
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
        self._base_url = access.base_url.rstrip("/")
        self._postgres = _postgres(access.database_dsn_file)
        self._redis = (
            RedisAddress(access.redis_url)
            if access.redis_url
            else cast(RedisAddress, _NotGiven("the stack's Redis", "--redis-url"))
        )
        self._operator = (
            OperatorAccount(facts.OPERATOR_USERNAME, str(access.operator_password_file))
            if access.operator_password_file
            else cast(OperatorAccount, _NotGiven("the operator's password", "--operator-password-file"))
        )

    def problems(self) -> list[str]:
        """Return why the stack cannot be proven; nothing if it answers."""
        return [f"{self._base_url}: {one.detail}" for one in self.stack().components if one.state != "running"]

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
            body: Any = requests.get(front, timeout=_TIMEOUT_S).json()
            stack_id, version = str(body["stack_id"]), str(body["version"])
        except (requests.RequestException, KeyError, TypeError):
            raise PlumblineError(
                f"{front} is not the health of a Plumbline stack", hint="is --base-url its front door?"
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

    def remove(self) -> None:
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


def _postgres(dsn_file: Path | None) -> PostgresAddress:
    if dsn_file is None:
        return cast(PostgresAddress, _NotGiven("the stack's database", "--database-dsn-file"))
    try:
        given = conninfo_to_dict(dsn_file.read_text().strip())
    except OSError as error:
        raise PlumblineError(f"the DSN file {dsn_file} cannot be read: {error.strerror}") from None
    except psycopg.ProgrammingError:
        # What libpq says quotes the string, and the string holds a password.
        raise PlumblineError(f"{dsn_file} holds no libpq connection string or URI") from None
    # The password goes on as a file, as everywhere else; this one is gone when the process ends.
    folder = tempfile.TemporaryDirectory(prefix="plumbline-remote-")
    atexit.register(folder.cleanup)
    password_file = Path(folder.name) / "postgres_password"
    password_file.touch(mode=0o600)
    password_file.write_text(str(given.get("password") or ""))
    return PostgresAddress(
        str(given.get("host") or "127.0.0.1"),
        int(given.get("port") or 5432),
        str(given.get("dbname") or facts.DATABASE_NAME),
        str(given.get("user") or facts.DATABASE_USER),
        str(password_file),
    )
