"""A stack that is only a database: a real Postgres with some tables."""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from plumbline.home import Home
from plumbline.stack import PostgresAddress, Stack
from plumbline.targets import postgres_shell
from plumbline.targets.embedded import postgres
from plumbline.tests.conftest import ScriptedTarget
from plumbline.verification.throwaway import PostgresServer

TABLES = """
DROP OWNED BY CURRENT_USER CASCADE;
CREATE TABLE alembic_version (version_num text);
INSERT INTO alembic_version VALUES ('0004_names');
CREATE TABLE things (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "odd name" text, data bytea, at timestamptz
    DEFAULT now(), half float8);
INSERT INTO things ("odd name", data, half)
    SELECT repeat(md5(i::text), 10), decode(md5(i::text), 'hex'), i / 3.0 FROM generate_series(1, 2000) AS i;
CREATE TABLE "Odd table" (id int);
"""


class DatabaseTarget(ScriptedTarget):
    """A target whose Postgres is real."""

    def __init__(self, home: Home, server: PostgresServer) -> None:
        super().__init__(home)
        self.server = server
        password_file = str(server.password_file)
        self.address = PostgresAddress(server.host, server.port, server.database, server.user, password_file)
        self.stopped: list[str] = []
        self.started: list[str] = []

    @property
    def cluster(self) -> postgres.Cluster:
        return self.server._cluster

    def stack(self) -> Stack:
        return replace(super().stack(), postgres=self.address)

    def postgres_script(self, script: str, *arguments: str) -> list[str]:
        path = f"PATH={self.cluster.binaries}:/usr/bin:/bin"
        return ["env", "-i", path, *postgres_shell.connected(script, self.address, arguments)]

    def postgres_command(self, program: str, *arguments: str) -> list[str]:
        return self.postgres_script(postgres_shell.RUN_PROGRAM, program, *arguments)

    @contextlib.contextmanager
    def throwaway_postgres(self, script: str, *arguments: str) -> Iterator[list[str]]:
        with self.cluster.throwaway() as (folder, prefix):
            yield [*prefix, *postgres_shell.throwaway(script, str(folder), arguments)]

    def migrate_back(self, name: str, revision: str) -> None:
        self.done.append(f"{name} back to {revision}")
        if name in self.failures:
            raise self.failures[name]

    def stop(self, *components: str) -> None:
        self.stopped += components

    def start(self, *components: str) -> None:
        self.started += components

    def rows(self, statement: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.server.conninfo) as connection:
            return connection.execute(statement).fetchall()

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.server.conninfo) as connection:
            connection.execute(statement)


@contextlib.contextmanager
def full_disk(limit: int) -> Iterator[None]:
    """Let this process write no file beyond a size, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def target(tmp_path: Path, postgres_server: PostgresServer) -> Iterator[DatabaseTarget]:
    home = Home(tmp_path / "home")
    home.prepare()
    found = DatabaseTarget(home, postgres_server)
    found.execute(TABLES)
    yield found
    found.execute("DROP OWNED BY CURRENT_USER CASCADE")
