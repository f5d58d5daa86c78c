"""Fixtures: a real backend with migrated Postgres, Redis and server processes, and users with sessions."""

from __future__ import annotations

import functools
import secrets
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jwt
import orjson
import psycopg
import pytest
import requests
from psycopg.rows import dict_row
from servicekit.tokens import Identity, issue
from websockets.sync.client import ClientConnection, connect

from plumbline.verification.description import Description
from plumbline.verification.service_process import ServiceProcess
from plumbline.verification.throwaway import (
    THROUGH_CADDY,
    PostgresServer,
    RedisServer,
    through_caddy,
    throwaway_postgres,
)

SERVICES = Path(__file__).parents[2]
OPERATOR_PASSWORD = "the operator's first password"
TIMEOUT_S = 20


class Backend(ServiceProcess):
    """Runs the backend's commands, and one server."""

    package = "backend"
    folders = ("servicekit", "backend")
    live = "/health"

    def __init__(self, folder: Path, postgres: PostgresServer, redis_url: str, **settings: object) -> None:
        self.stack_id = f"test-{secrets.token_hex(4)}"
        super().__init__(redis_url, folder / "backend.log")
        self.token_secret = "a key that signs the tests' session tokens"
        self.use_postgres(postgres, self.token_secret)
        (folder / "operator_password").write_text(OPERATOR_PASSWORD)
        # Backends that share a Redis share its counts, and tests register many users from one address.
        self.set(registrations_per_address=10_000)
        self.set(stack_id=self.stack_id, operator_password_file=folder / "operator_password")
        self.set(**settings)

    def migrate(self) -> subprocess.CompletedProcess[str]:
        return self.run("migrate")

    def logged(self, text: str, level: str) -> list[dict[str, Any]]:
        return [entry for entry in self.entries() if text in entry["message"] and entry["level"] == level]


@functools.cache
def description(url: str) -> Description:
    """Return the OpenAPI document of the backend at this address."""
    return Description(through_caddy("GET", url + "/openapi.json", timeout=TIMEOUT_S).json(), "[^/]+")


class User:
    """A registered user with a session. Each answer that it gets must be described."""

    def __init__(self, url: str, name: str | None = None) -> None:
        self.url = url
        self.name = name or f"user-{secrets.token_hex(6)}"
        self.password = f"password of {self.name}"
        self.http = requests.Session()
        self.http.headers.update(THROUGH_CADDY)
        self.http.hooks["response"].append(self._check)
        response = self.post("/auth/register", {"username": self.name, "password": self.password})
        assert response.status_code == 201, response.text
        self.id: int = response.json()["id"]

    def _check(self, answer: requests.Response, **_: object) -> None:
        request = answer.request
        description(self.url).check(request.method or "", urlsplit(request.url or "").path, answer)

    @property
    def token(self) -> str:
        return str(self.http.cookies["access_token"])

    def token_for(self, secret: str, ttl_s: int, *, is_operator: bool = False) -> str:
        """Return another token of this user's session."""
        session_id = jwt.decode(self.token, options={"verify_signature": False})["jti"]
        return issue(secret, Identity(self.id, self.name, is_operator), session_id, ttl_s)

    def get(self, path: str, **params: object) -> requests.Response:
        return self.http.get(self.url + path, params=params, timeout=TIMEOUT_S)  # type: ignore[arg-type]

    def post(self, path: str, body: object = None) -> requests.Response:
        return self.http.post(self.url + path, json=body, timeout=TIMEOUT_S)

    def channel(self, type_: str = "public") -> dict[str, Any]:
        mark = "#" if type_ == "public" else ""
        response = self.post("/channels/", {"name": f"{mark}room-{secrets.token_hex(6)}", "type": type_})
        assert response.status_code == 201, response.text
        found: dict[str, Any] = response.json()
        return found

    def post_message(self, channel_id: int, content: str) -> dict[str, Any]:
        response = self.post(f"/channels/{channel_id}/messages", {"content": content})
        assert response.status_code == 201, response.text
        found: dict[str, Any] = response.json()
        return found

    def socket(self, url: str | None = None, **headers: str) -> ClientConnection:
        """Open this user's socket; `url` names another backend of the same stack."""
        address = (url or self.url).replace("http", "ws", 1) + f"/ws/{self.id}"
        return connect(
            address,
            additional_headers={"Cookie": f"access_token={self.token}", **THROUGH_CADDY, **headers},
            max_size=None,
            proxy=None,
        )


def frames_until(socket: ClientConnection, last: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
    """Read frames up to and including the first for which `last` is true."""
    frames: list[dict[str, Any]] = []
    while not frames or not last(frames[-1]):
        frames.append(orjson.loads(socket.recv(timeout=TIMEOUT_S)))
    return frames


def frames_before_pong(socket: ClientConnection) -> list[dict[str, Any]]:
    """Send a ping; return the frames that arrive before its pong."""
    socket.send('{"type": "ping", "payload": {"sent_at_ms": 1}}')
    return frames_until(socket, lambda frame: frame["type"] == "pong")[:-1]


@pytest.fixture(scope="session")
def migrated_postgres(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer, redis_server: RedisServer
) -> PostgresServer:
    """The session's Postgres, with the backend's schema and its operator."""
    done = Backend(tmp_path_factory.mktemp("migrating"), postgres_server, redis_server.url).migrate()
    assert done.returncode == 0, done.stderr
    return postgres_server


@pytest.fixture(scope="session")
def backend(
    tmp_path_factory: pytest.TempPathFactory, migrated_postgres: PostgresServer, redis_server: RedisServer
) -> Iterator[Backend]:
    """A migrated backend with two processes."""
    folder = tmp_path_factory.mktemp("backend")
    # All users of all tests register from one address.
    server = Backend(folder, migrated_postgres, redis_server.url, workers=2)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def new_user(backend: Backend) -> Callable[[], User]:
    """Register a user with a session."""
    return lambda: User(backend.url)


@pytest.fixture
def sql(backend: Backend, postgres_server: PostgresServer) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    """A connection to the migrated database."""
    with psycopg.connect(postgres_server.conninfo, autocommit=True, row_factory=dict_row) as connection:
        yield connection


@pytest.fixture(scope="module")
def empty_postgres() -> Iterator[PostgresServer]:
    """An empty Postgres for this module, which tests may stop and fill."""
    with throwaway_postgres() as server:
        yield server
