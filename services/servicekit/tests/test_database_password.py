"""A pool connects also if the role's password is replaced while it tries the former one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from servicekit.database_password import async_connection_class, connection_class
from servicekit.rotating import Value, text_of

from plumbline.verification.throwaway import PostgresServer

NEW = "the password after the rotation"


@pytest.fixture
def rotation(
    postgres_server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Path, dict[str, Any]]]:
    """A password file and what to connect to; the whole rotation happens just after the file was first read."""
    file = tmp_path / "postgres_password"
    file.write_text(postgres_server.password)
    rotated: list[str] = []

    def rotate() -> None:
        if not rotated:
            rotated.append(NEW)
            (tmp_path / "postgres_password_also").write_text(text_of([Value(NEW)]))
            _set(postgres_server.conninfo, NEW)

    _before(psycopg.Connection, rotate, monkeypatch)
    _before(psycopg.AsyncConnection, rotate, monkeypatch)
    told = conninfo_to_dict(postgres_server.conninfo)
    del told["password"]
    yield file, told
    _set(psycopg.conninfo.make_conninfo(postgres_server.conninfo, password=NEW), postgres_server.password)


_connect = psycopg.Connection.connect


def _set(conninfo: str, password: str) -> None:
    with _connect(conninfo, autocommit=True) as connection:
        connection.execute(psycopg.sql.SQL("ALTER ROLE CURRENT_USER PASSWORD {}").format(password))


def _before(connection: Any, act: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    connect = connection.connect.__func__

    def acting(cls: Any, *arguments: Any, **options: Any) -> Any:
        act()
        return connect(cls, *arguments, **options)

    monkeypatch.setattr(connection, "connect", classmethod(acting))


def test_the_new_password_is_tried_once_the_former_one_is_refused(rotation):
    file, told = rotation
    with connection_class(file).connect(**told) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_pool_of_the_backend_does_so_too(rotation):
    file, told = rotation

    async def ask() -> Any:
        async with await async_connection_class(file).connect(**told) as connection:
            return await (await connection.execute("SELECT 1")).fetchone()

    assert asyncio.run(ask()) == (1,)


def test_a_password_that_no_file_holds_is_refused(postgres_server, tmp_path):
    file = tmp_path / "postgres_password"
    file.write_text("a password of another stack")
    told = conninfo_to_dict(postgres_server.conninfo)
    del told["password"]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        connection_class(file).connect(**told)
