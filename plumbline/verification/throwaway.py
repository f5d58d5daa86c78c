"""Pytest fixtures with a real, temporary Postgres and Redis, for unit tests."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pytest
import requests
from servicekit import facts

from plumbline import environment
from plumbline.net import free_port
from plumbline.patience import Patience, work_of
from plumbline.stack import RedisAddress
from plumbline.targets.embedded import accounts, postgres
from plumbline.targets.embedded import redis_server as redis_programs
from plumbline.verification import waiting

environment.drop_settings()

REDIS_PASSWORD = "the password of every Redis of these tests"  # noqa: S105  used by tests only
INTERNAL_SECRET = "by which Caddy and the services know each other"  # noqa: S105  used by tests only
THROUGH_CADDY = {facts.INTERNAL_HEADER: INTERNAL_SECRET}
"""The header that Caddy adds to requests to services."""
_TIMEOUT_S = 30.0


def wait_until(
    condition: Callable[[], bool],
    what: str,
    timeout_s: float = _TIMEOUT_S,
    progress: Callable[[], object] = lambda: None,
    every_s: float = 0.02,
) -> None:
    """Wait until `condition` is true; fail with `what` after `timeout_s` in which `progress` returns the same."""
    patience = Patience(timeout_s)
    with waiting.on(what):
        while not condition():
            if patience.is_over(progress):
                raise AssertionError(f"not within {patience}: {what}")
            time.sleep(every_s)


_Value = TypeVar("_Value")


def wait_for_value(
    read: Callable[[], _Value], wanted: Callable[[_Value], bool], what: str, timeout_s: float = _TIMEOUT_S
) -> _Value:
    """Return the first value that is `wanted`; fail with `what` and the last value after `timeout_s` without a change.

    A value that still changes is progress: on a busy machine the wait may take several times as long.
    """
    patience = Patience(timeout_s)
    with waiting.on(what):
        while not wanted(value := read()):
            if patience.is_over(lambda value=value: value):  # type: ignore[misc]
                raise AssertionError(f"waited {patience} for {what}; the last value was {value!r}")
            time.sleep(0.02)
    return value


def shared_secrets(folder: Path) -> dict[str, str]:
    """Write the secret files that every service needs into `folder`; return the settings that name them."""
    values = {"redis_password": REDIS_PASSWORD, "internal_secret": INTERNAL_SECRET}
    for name, value in values.items():
        (folder / name).write_text(value)
    return {f"PLUMBLINE_{name.upper()}_FILE": str(folder / name) for name in values}


def through_caddy(
    method: str, url: str, *, headers: Mapping[str, str] | None = None, **arguments: Any
) -> requests.Response:
    """Send a request to a service, with the internal secret."""
    return requests.request(method, url, headers=THROUGH_CADDY | dict(headers or {}), **arguments)  # noqa: S113  given


@contextlib.contextmanager
def unprivileged() -> Iterator[None]:
    """Run the block as an ordinary user, even if the tests run as root, so that permissions apply."""
    mine = os.geteuid()
    if mine == 0:
        os.seteuid(pwd.getpwnam("nobody").pw_uid)
    try:
        yield
    finally:
        os.seteuid(mine)


class _Server:
    """A server process that a test can stop and start again without losing its data."""

    def __init__(self, command: list[str], log: Path, stop_signal: signal.Signals, **arguments: object) -> None:
        self._command = command
        self._log = log
        self._stop_signal = stop_signal
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None

    def ready(self) -> bool:
        """Return whether the server answers."""
        raise NotImplementedError

    def start(self) -> None:
        """Start the server and wait until it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # type: ignore[call-overload]
                self._command, stdout=log, stderr=log, cwd="/", **self._arguments
            )

        def settled() -> bool:
            assert self._process is not None
            if self._process.poll() is not None:
                raise AssertionError(f"{self._command[0]} ended: {self._log.read_text(errors='replace')[-2000:]}")
            return self.ready()

        wait_until(settled, f"{self._command[0]} answers", progress=lambda: work_of(self.pid))

    def stop(self) -> None:
        """Stop the server and wait until its process has ended. Does nothing if it is not running."""
        if (process := self._process) is not None:
            process.send_signal(self._stop_signal)
            wait_until(
                lambda: process.poll() is not None, f"{self._command[0]} ends", progress=lambda: work_of(process.pid)
            )
            self._process = None

    @property
    def pid(self) -> int:
        """The running server's process id."""
        assert self._process is not None
        return self._process.pid

    def restart(self) -> None:
        """Stop and start the server."""
        self.stop()
        self.start()


class PostgresServer(_Server):
    """A cluster with database `app_db` and role `app_user`, like that of a deployment."""

    def __init__(self, folder: Path) -> None:
        account = accounts.for_postgres()
        folder.chmod(0o755)
        home = folder / "home"
        home.mkdir()
        binaries, data = postgres.place(home, account, home / "postgres")
        self.host = "127.0.0.1"
        self.port = free_port()
        self.user, self.database = facts.DATABASE_USER, facts.DATABASE_NAME
        self.password = secrets.token_urlsafe(24)
        self.password_file = folder / "postgres_password"
        self.password_file.write_text(self.password)
        self._cluster = postgres.Cluster(binaries, data, account, self.port)
        self._cluster.create(self.password)
        super().__init__(self._cluster.command(), folder / "postgres.log", signal.SIGINT, **account.popen_arguments())

    @property
    def conninfo(self) -> str:
        """Connection string of the application's role."""
        return self._cluster.conninfo(self.password, "test")

    def ready(self) -> bool:
        """Return whether the role can log in."""
        return self._cluster.probe(self.password) is None


class RedisServer(_Server):
    """A Redis with the services' restricted user, and a user `tests` with all rights."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        """URL for services, which use `REDIS_PASSWORD`."""
        shared_secrets(folder)
        self.address = RedisAddress(self.url, str(folder / "redis_password"))
        self.admin_url = f"redis://tests:tests@127.0.0.1:{self.port}/0"
        program = redis_programs.find()
        assert program is not None, "no redis-server: apt-get install redis-server"
        all_rights = ("--user", "tests", "on", ">tests", "~*", "&*", "+@all")
        command = [*redis_programs.command(self.port, folder), *all_rights]
        environment = redis_programs.environment(program, folder / "redis_password", folder)
        super().__init__(command, folder / "redis.log", signal.SIGTERM, env=environment)

    def ready(self) -> bool:
        """Return whether Redis answers."""
        return self.address.problem(1) is None


@contextlib.contextmanager
def throwaway_postgres() -> Iterator[PostgresServer]:
    """Yield a running Postgres with an empty database; delete it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="plumbline-test-"))
    server: PostgresServer | None = None
    try:
        server = PostgresServer(folder)
        server.start()
        yield server
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(postgres.private_place(folder / "home"), ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A Postgres for this test session."""
    with throwaway_postgres() as server:
        yield server


@contextlib.contextmanager
def throwaway_redis() -> Iterator[RedisServer]:
    """Yield a running, empty Redis; delete it afterwards."""
    with tempfile.TemporaryDirectory(prefix="plumbline-test-", ignore_cleanup_errors=True) as folder:
        server = RedisServer(Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A Redis for this test session."""
    with throwaway_redis() as server:
        yield server


async def misses_a_cancellation() -> None:
    """Run until cancelled twice. A task in `asyncio.wait_for` can lose a cancellation before Python 3.12."""
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.sleep(3600)
    await asyncio.sleep(3600)
