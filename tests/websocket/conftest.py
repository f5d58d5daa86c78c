"""The two releases that the contract is checked against: the baseline, and the one of this checkout.

Without options, their servers are started alone. With `--own-stack`, they are the front door of one stack, before and
after `rollback --to baseline`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from plumbline import baseline, deploy
from plumbline.home import Home
from plumbline.targets.base import Target
from plumbline.targets.choose import choose
from plumbline.verification.service_process import ServiceProcess
from plumbline.verification.throwaway import THROUGH_CADDY, PostgresServer

RELEASES = ("today", "baseline")
TOKEN_SECRET = "a key that signs the tests' session tokens"
OPERATOR_PASSWORD = "the operator's first password"
"""That of the backend's own tests, which may use the same Postgres."""


@dataclass(frozen=True, slots=True)
class Release:
    """Where a release answers, and the headers of requests that do not pass Caddy."""

    name: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)


class Server(ServiceProcess):
    """One of the two servers, with one process, so that the order of events is that of the requests."""

    live = "/health"

    def __init__(self, package: str, folder: Path, redis_url: str = "redis://127.0.0.1:1/0") -> None:
        self.package, self.folders = package, ("servicekit", package)
        super().__init__(redis_url, folder / f"{package}.log")
        for name, value in (("token_secret", TOKEN_SECRET), ("operator_password", OPERATOR_PASSWORD)):
            (folder / name).write_text(value)
            self.set(**{f"{name}_file": folder / name})
        self.set(folder=folder, workers=1)


@pytest.fixture(scope="session")
def own_target(request: pytest.FixtureRequest) -> Iterator[Target]:
    """A stack of the wanted target, which is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="plumbline-contract-") as folder:
        home = Home(Path(folder) / "home")
        target, why = choose(request.config.getoption("target"), home, 0)
        try:
            deploy.up(home, target, why)
            yield target
        finally:
            target.remove()


@pytest.fixture(scope="session", params=RELEASES)
def release(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Release]:
    """One release at a time, the one of this checkout first."""
    if request.config.getoption("own_stack"):
        target = request.getfixturevalue("own_target")
        if request.param == "baseline":
            baseline.to_baseline(target.home, target)
        yield Release(request.param, target.stack().base_url)
        return
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "baseline":
        server = Server("baseline", folder)
    else:
        postgres: PostgresServer = request.getfixturevalue("postgres_server")
        server = Server("backend", folder, request.getfixturevalue("redis_server").url)
        server.use_postgres(postgres, TOKEN_SECRET)
        # The backend's own tests may have registered from this address, with the same Redis.
        server.set(registrations_per_address=10_000)
        migrated = server.run("migrate")
        assert migrated.returncode == 0, migrated.stderr
    try:
        server.start()
        yield Release(request.param, server.url, THROUGH_CADDY)
    finally:
        server.stop()
