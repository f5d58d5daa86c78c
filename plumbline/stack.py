"""Data of a running stack: addresses, identity, components."""

from __future__ import annotations

import textwrap
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from servicekit.secrets import read_secret

if TYPE_CHECKING:
    from redis import Redis

ComponentState = Literal["running", "starting", "stopped", "failed"]


@dataclass(frozen=True, slots=True)
class Component:
    """A component's state. `since` is ISO 8601, UTC; `log_file` is None if the target has no log files."""

    name: str
    state: ComponentState
    since: str | None = None
    pid: int | None = None
    log_file: str | None = None
    detail: str = ""

    def text(self, width: int) -> str:
        """Format for a terminal: one line, or the detail below if it does not fit."""
        line = f"  {self.name:<15} {self.state:<9} {self.since or '':<26}"
        if len(f"{line} {self.detail}") <= width:
            return f"{line} {self.detail}".rstrip()
        below = textwrap.wrap(self.detail, width - 4, break_long_words=False, break_on_hyphens=False)
        return "\n".join([line.rstrip(), *(f"    {one}" for one in below)])


@dataclass(frozen=True, slots=True)
class PostgresAddress:
    """Address of the database; the password is in a file."""

    host: str
    port: int
    database: str
    user: str
    password_file: str

    def parameters(self) -> dict[str, Any]:
        """Return libpq's parameters with the password. Raises SecretError if the file holds none."""
        return {
            "host": self.host, "port": self.port, "dbname": self.database, "user": self.user,
            "password": read_secret(Path(self.password_file)),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """Address of Redis. `password_file` is None if no password is needed or the URL has it."""

    url: str
    password_file: str | None = None

    def options(self) -> dict[str, Any]:
        """Return redis-py's options besides the URL. Raises SecretError if the password file holds none."""
        return {"password": read_secret(Path(self.password_file))} if self.password_file else {}

    def connect(self, **options: Any) -> Redis:
        """Return a client. Raises SecretError if the password file holds none, ValueError for an invalid URL."""
        from redis import Redis  # imported late: the watch of a stack runs all the time, and does not need it

        return Redis.from_url(self.url, **self.options(), **options)

    def problem(self, timeout_s: float) -> str | None:
        """Return why Redis cannot be used; None if it answers."""
        from redis import AuthenticationError, RedisError

        try:
            with self.connect(socket_timeout=timeout_s, socket_connect_timeout=timeout_s) as client:
                client.ping()
        except AuthenticationError:
            return f"Redis refuses the password in {self.password_file}" if self.password_file else _NO_PASSWORD
        except (RedisError, ValueError) as error:  # a SecretError is a ValueError
            return str(error)
        return None


_NO_PASSWORD = "Redis needs a password, and none was given"  # noqa: S105  not a password


@dataclass(frozen=True, slots=True)
class OperatorAccount:
    """An account that may read the recorder; the password is in a file."""

    username: str
    password_file: str


@dataclass(frozen=True, slots=True)
class Stack:
    """The document of `status --json`. `phase` is absent, deploying, ready or down. `release` is empty, or "baseline".

    `settings` has a line for each setting that differs from its default.
    """

    stack_id: str
    target: str
    phase: str
    version: str
    home: str
    base_url: str
    postgres: PostgresAddress
    redis: RedisAddress
    operator: OperatorAccount
    components: tuple[Component, ...]
    settings: tuple[str, ...] = ()
    release: str = ""
    public_url: str = ""
    """The address for users, if it is not `base_url`."""
    ca_file: str = ""
    """Certificate of the authority that certified `base_url`; empty without HTTPS."""

    def problems(self) -> list[str]:
        """Return why the stack is not complete: its phase, or the components that are not running."""
        if self.phase != "ready":
            return [f"it is {self.phase}"]
        return [
            f"{one.name} is {one.state}" + (f" ({one.detail})" if one.detail else "")
            for one in self.components
            if one.state != "running"
        ]

    @property
    def running(self) -> bool:
        """Whether the deployment is finished and every component is running."""
        return not self.problems()

    def component(self, name: str) -> Component:
        """Return the component called `name`. Raises KeyError."""
        for component in self.components:
            if component.name == name:
                return component
        raise KeyError(name)

    def as_json(self) -> dict[str, Any]:
        """Return the document of `status --json`."""
        return asdict(self)
