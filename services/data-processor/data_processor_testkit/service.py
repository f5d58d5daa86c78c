"""A running data-processor, and its users."""
# ruff: noqa: S101  # these assertions are part of tests

from __future__ import annotations

import hashlib
import itertools
import os
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

from plumbline.verification.description import Description
from plumbline.verification.service_process import ServiceProcess
from plumbline.verification.throwaway import THROUGH_CADDY, PostgresServer, through_caddy, wait_until

TOKEN_SECRET = "0123456789abcdef0123456789abcdef-for-tests"  # noqa: S105  # only for tests
HEAD = max(path.stem for path in (Path(__file__).parents[1] / "data_processor/migrations").glob("[0-9]*.py"))
"""The schema revision that the service requires."""
_numbers = itertools.count(1)


_READ = """
import sys, time
from data_processor import events, process
process.configure(forward=False)
from django.db import connection
from servicekit.events import Event
from data_processor.reading import services

def progress(stage, percent, message):
    page = int(message.split()[1])
    MEANWHILE

for document in sys.argv[1:]:
    services.document_read(document_id=int(document), again=AGAIN, progress=progress)
# The thread that publishes has taken this event once it has sent those before it.
events.publish(Event(None, {"type": "end"}, []))
while not events._publisher()._queue.empty():
    time.sleep(0.01)
"""


class Service(ServiceProcess):
    """Runs the data-processor's commands, and one server."""

    package = "data_processor"
    folders = ("servicekit", "backend", "data-processor")
    live = "/data-processor/health/live"

    def __init__(self, postgres: PostgresServer, redis_url: str, folder: Path, **settings: object) -> None:
        super().__init__(redis_url, folder / "service.log")
        self.postgres = postgres
        self.base = f"{self.url}/data-processor/"
        self.use_postgres(postgres, TOKEN_SECRET)
        self.set(stack_id="test-stack", pool_size=4)
        self.set(**settings)
        self.description = Description({"paths": {}})

    def start(self, path: str = "") -> None:
        """Start the server, wait until it answers, and fetch its description."""
        super().start(path)
        self.description = Description(through_caddy("GET", self.base + "openapi.json", timeout=30).json())

    def migrate(self) -> None:
        """Run both migration chains, in their order."""
        for package in ("backend", "data_processor"):
            done = self.run("migrate", package)
            assert done.returncode == 0, done.stderr

    @property
    def pid(self) -> int:
        """The process that supervises the server's workers."""
        return self.running.pid

    def processes(self) -> list[psutil.Process]:
        """Return the server's processes."""
        return psutil.Process(self.pid).children(recursive=True)

    def health(self) -> requests.Response:
        """Request /health."""
        return requests.get(self.base + "health", timeout=10)

    def wait_ready(self) -> None:
        """Wait until /health answers 200."""
        wait_until(lambda: self.health().status_code == 200, "the service is ready")

    @contextmanager
    def database(self) -> Iterator[psycopg.Connection[Any]]:
        """Yield a separate connection, in autocommit."""
        with psycopg.connect(self.postgres.conninfo, autocommit=True) as connection:
            yield connection

    def rows(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Return the rows of a statement."""
        with self.database() as connection:
            return connection.execute(sql, parameters).fetchall()

    def run_sql(self, sql: str) -> None:
        """Run a statement that returns no rows."""
        with self.database() as connection:
            connection.execute(sql)

    def record_documents(self, person: Person, channel: int, count: int = 1) -> list[int]:
        """Insert documents whose one file cannot be read; return their ids."""
        data = f"broken {next(_numbers)}".encode()
        rows = self.rows(
            "WITH file AS (INSERT INTO document_contents (sha256, data) VALUES (%s, %s) RETURNING sha256)"
            " INSERT INTO documents"
            " (channel_id, uploaded_by, filename, media_type, size, sha256, page_widths, page_heights)"
            " SELECT %s, %s, 'scan.png', 'image/png', 1, sha256, '{10}', '{10}' FROM file, generate_series(1, %s)"
            " RETURNING id",
            hashlib.sha256(data + os.urandom(8)).hexdigest(), data, channel, person.id, count,
        )  # fmt: skip
        return [int(document) for (document,) in rows]

    def read(
        self, *documents: object, again: bool = False, meanwhile: str = "pass", **settings: object
    ) -> subprocess.CompletedProcess[str]:
        """Read documents as a worker does. `meanwhile` is Python that runs before each page, whose number is `page`."""
        code = _READ.replace("MEANWHILE", meanwhile).replace("AGAIN", str(again))
        given = {f"PLUMBLINE_{name.upper()}": str(value) for name, value in settings.items()}
        return subprocess.run(
            [sys.executable, "-c", code, *map(str, documents)],
            env=self.environment | given, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    def record_job(self, person: Person, channel: int, template: int, documents: list[int]) -> int:
        """Insert a batch job, as earlier releases recorded it; return its id."""
        ((job,),) = self.rows(
            "INSERT INTO batch_jobs (channel_id, template_id, total, created_by) VALUES (%s, %s, %s, %s) RETURNING id",
            channel, template, len(documents), person.id,
        )  # fmt: skip
        self.rows(
            "INSERT INTO batch_items (batch_job_id, position, document_id, filename)"
            " SELECT %s, wanted.position, d.id, d.filename"
            " FROM unnest(%s::bigint[]) WITH ORDINALITY AS wanted (id, position) JOIN documents d USING (id)"
            " RETURNING id",
            job, documents,
        )  # fmt: skip
        return int(job)


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
        self.session_id = tokens.new_session_id()
        service.rows(
            "INSERT INTO sessions (id, user_id, version, expires_at)"
            " VALUES (%s, %s, 0, now() + interval '1 day') RETURNING id",
            self.session_id,
            self.id,
        )
        self.token = self.token_for(3600, is_operator=is_operator)
        self._session = requests.Session()
        self._session.headers.update(THROUGH_CADDY)
        self._session.headers["Authorization"] = f"Bearer {self.token}"

    def token_for(self, ttl_s: int, *, is_operator: bool = False, secret: str = TOKEN_SECRET) -> str:
        """Return another token of this person's session."""
        return tokens.issue(secret, Identity(self.id, self.name, is_operator), self.session_id, ttl_s)

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
        """Join the channel."""
        with self.service.database() as connection:
            connection.execute("INSERT INTO memberships (channel_id, user_id) VALUES (%s, %s)", (channel_id, self.id))

    def call(self, method: str, path: str, **arguments: Any) -> requests.Response:
        """Send a request as this person, and compare the response with the service's description."""
        answer = self._session.request(method, self.service.base + path, timeout=60, **arguments)
        self.service.description.check(method, urlsplit(answer.url).path, answer)
        return answer

    def get(self, path: str, **arguments: Any) -> requests.Response:
        """Send a GET request."""
        return self.call("GET", path, **arguments)

    def post(self, path: str, **arguments: Any) -> requests.Response:
        """Send a POST request."""
        return self.call("POST", path, **arguments)

    def upload(self, channel_id: object, data: bytes, filename: str = "file.bin") -> requests.Response:
        """Upload a file with a generic declared type."""
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
