"""A running data-processor, and people who use it."""
# ruff: noqa: S101  # what these find is a test's verdict

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import psycopg
import requests
from servicekit import tokens
from servicekit.tokens import Identity

from data_processor_testkit.description import Description
from plumbline.net import free_port
from plumbline.verification.throwaway import (
    THROUGH_CADDY,
    PostgresServer,
    shared_secrets,
    through_caddy,
    wait_until,
)

TOKEN_SECRET = "0123456789abcdef0123456789abcdef-for-tests"  # noqa: S105  # of no deployment
HEAD = max(path.stem for path in (Path(__file__).parents[1] / "data_processor/migrations").glob("[0-9]*.py"))
"""The revision that the service wants its schema to be at."""
_numbers = itertools.count(1)


class Service:
    """A data-processor behind a real server, on a free port."""

    def __init__(self, postgres: PostgresServer, redis_url: str, folder: Path, **settings: object) -> None:
        self.postgres = postgres
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}/data-processor/"
        self.log_file = folder / "service.log"
        token_file = folder / "token_secret"
        token_file.write_text(TOKEN_SECRET)
        self._process: subprocess.Popen[bytes] | None = None
        self.description = Description({"paths": {}})
        given = {
            "PORT": self.port,
            "STACK_ID": "test-stack",
            "POSTGRES_PORT": postgres.port,
            "POSTGRES_PASSWORD_FILE": postgres.password_file,
            "TOKEN_SECRET_FILE": token_file,
            "REDIS_URL": redis_url,
            "POOL_SIZE": 4,
        } | settings
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("PLUMBLINE_")}
        self.environment |= {f"PLUMBLINE_{name}": str(value) for name, value in given.items()}
        self.environment |= shared_secrets(folder)
        self.environment["TMPDIR"] = str(folder)
        self.environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)

    def run(self, package: str, command: str) -> subprocess.CompletedProcess[str]:
        """Run `python -m package command` to its end."""
        return subprocess.run(
            [sys.executable, "-m", package, command], env=self.environment, capture_output=True, text=True, check=False
        )

    def migrate(self) -> None:
        """Run both migration chains, in their order."""
        for package in ("backend", "data_processor"):
            done = self.run(package, "migrate")
            assert done.returncode == 0, done.stderr

    def start(self) -> None:
        """Start the server and wait until it answers."""
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "data_processor", "serve"], env=self.environment, stdout=log, stderr=log
            )
        wait_until(self._lives, "the service lives")
        self.description = Description(through_caddy("GET", self.base + "openapi.json", timeout=30).json())

    def _lives(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log_file.read_text()
        try:
            return requests.get(self.base + "health/live", timeout=5).status_code == 200
        except requests.ConnectionError:
            return False

    def stop(self) -> int:
        """End the server as a supervisor does and return its exit code."""
        if self._process is None:
            return 0
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(30)
        finally:
            self._process.kill()
            self._process = None

    @property
    def pid(self) -> int:
        """The process that supervises the server's workers."""
        assert self._process is not None
        return self._process.pid

    def processes(self) -> list[psutil.Process]:
        """Return the server's processes."""
        return psutil.Process(self.pid).children(recursive=True)

    def health(self) -> requests.Response:
        """Ask whether requests can be served."""
        return requests.get(self.base + "health", timeout=10)

    def wait_ready(self) -> None:
        """Wait until /health answers 200."""
        wait_until(lambda: self.health().status_code == 200, "the service is ready")

    def entries(self) -> list[dict[str, Any]]:
        """Return what the service has logged so far."""
        lines = self.log_file.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    @contextmanager
    def database(self) -> Iterator[psycopg.Connection[Any]]:
        """Yield a connection of the test's own, in autocommit."""
        with psycopg.connect(self.postgres.conninfo, autocommit=True) as connection:
            yield connection

    def rows(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Return what the database itself says."""
        with self.database() as connection:
            return connection.execute(sql, parameters).fetchall()


class Person:
    """A user with a valid token."""

    def __init__(self, service: Service, *, is_operator: bool = False) -> None:
        self.service = service
        self.name = f"person-{os.getpid()}-{next(_numbers)}"
        ((self.id,),) = service.rows(
            "INSERT INTO users (username, display_name, password_hash, is_operator)"
            " VALUES (%s, %s, 'x', %s) RETURNING id",
            self.name,
            self.name,
            is_operator,
        )
        self.token = tokens.issue(TOKEN_SECRET, Identity(self.id, self.name, is_operator), 3600)
        self._session = requests.Session()
        self._session.headers.update(THROUGH_CADDY)
        self._session.headers["Authorization"] = f"Bearer {self.token}"

    def create_channel(self) -> int:
        """Create a channel with this person as its first member, and return its id."""
        ((channel_id,),) = self.service.rows(
            "INSERT INTO channels (name, type, created_by) VALUES (%s, 'public', %s) RETURNING id",
            f"#channel-{self.name}-{next(_numbers)}",
            self.id,
        )
        self.join(channel_id)
        return int(channel_id)

    def join(self, channel_id: int) -> None:
        """Become a member."""
        with self.service.database() as connection:
            connection.execute("INSERT INTO memberships (channel_id, user_id) VALUES (%s, %s)", (channel_id, self.id))

    def call(self, method: str, path: str, **arguments: Any) -> requests.Response:
        """Send a request as this person, and hold the answer against the service's description."""
        answer = self._session.request(method, self.service.base + path, timeout=60, **arguments)
        self.service.description.check(method, urlsplit(answer.url).path, answer)
        return answer

    def get(self, path: str, **arguments: Any) -> requests.Response:
        """Read."""
        return self.call("GET", path, **arguments)

    def post(self, path: str, **arguments: Any) -> requests.Response:
        """Create."""
        return self.call("POST", path, **arguments)

    def upload(self, channel_id: object, data: bytes, filename: str = "file.bin") -> requests.Response:
        """Upload a file with a declared type that says nothing."""
        files = {"file": (filename, data, "application/octet-stream")}
        return self.post("documents/", files=files, data={"channel_id": str(channel_id)})


def refusal(response: requests.Response, status: int, code: str) -> dict[str, Any]:
    """Check that a response is a problem document of that status and code, and return it."""
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert body["status"] == status
    assert body["code"] == code, body
    assert body["request_id"] == response.headers["X-Request-Id"]
    assert "Traceback" not in response.text
    return body
