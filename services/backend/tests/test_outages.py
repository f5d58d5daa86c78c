"""Outages of Postgres and Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import orjson
import psycopg
import pytest
import requests
import websockets
from backend import migrations
from backend.database import Database

from plumbline.verification.throwaway import PostgresServer, RedisServer, through_caddy, throwaway_redis, wait_until

from .conftest import TIMEOUT_S, Backend, User, frames_until


@pytest.fixture(scope="module")
def own_redis() -> Iterator[RedisServer]:
    with throwaway_redis() as server:
        yield server


@pytest.fixture(scope="module")
def migrated_postgres(
    empty_postgres: PostgresServer, own_redis: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> PostgresServer:
    """A Postgres with the backend's schema, which these tests stop."""
    assert Backend(tmp_path_factory.mktemp("migrating"), empty_postgres, own_redis.url).migrate().returncode == 0
    return empty_postgres


@pytest.fixture
def stack(
    tmp_path: Path, migrated_postgres: PostgresServer, own_redis: RedisServer
) -> Iterator[tuple[Backend, PostgresServer, RedisServer]]:
    server = Backend(tmp_path, migrated_postgres, own_redis.url, workers=2)
    try:
        yield server, migrated_postgres, own_redis
    finally:
        server.stop()


def health(server: Backend, path: str = "/health") -> requests.Response:
    return through_caddy("GET", server.url + path, timeout=TIMEOUT_S)


def test_started_before_postgres_it_is_unready_until_the_schema_is_migrated(
    stack: tuple[Backend, PostgresServer, RedisServer],
) -> None:
    server, postgres, _ = stack
    with psycopg.connect(postgres.conninfo, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    postgres.stop()
    server.start("/health/live")
    away = health(server)
    assert (away.status_code, away.json()["status"]) == (503, "unavailable")
    assert "database" in away.json()["reason"]
    assert away.headers["retry-after"]
    postgres.start()
    wait_until(lambda: "migrate" in health(server).json().get("reason", ""), "the missing schema is the reason")
    refused = through_caddy(
        "POST", server.url + "/auth/register", json={"username": "early", "password": "long enough"}, timeout=TIMEOUT_S
    )
    assert (refused.status_code, refused.json()["code"]) == (503, "schema_behind")
    assert server.migrate().returncode == 0
    wait_until(lambda: health(server).status_code == 200, "the migrated schema makes it ready")
    assert health(server).json() == {
        "service": "backend",
        "version": health(server).json()["version"],
        "stack_id": server.stack_id,
        "status": "ok",
        "schema_revision": migrations.head(),
    }
    assert User(server.url).id
    with psycopg.connect(postgres.conninfo, autocommit=True) as connection:
        for found, status in (("9999_of_the_next_release", 200), ("0000_before", 503), (migrations.head(), 200)):
            connection.execute("UPDATE alembic_version SET version_num = %s", (found,))
            answer = health(server)
            assert (answer.status_code, answer.json()["schema_revision"]) == (status, found)

    def recorded() -> list[tuple[str, str]]:
        with psycopg.connect(postgres.conninfo) as connection:
            return connection.execute(
                "SELECT event, detail FROM stack_events WHERE stack_id = %s ORDER BY id", (server.stack_id,)
            ).fetchall()

    wait_until(lambda: len(recorded()) >= 2, "ready is recorded")
    wait_until(lambda: len([e for e in server.entries() if e["message"] == "ready"]) == 2, "both processes are ready")
    # A running service may see the schema before its migration is recorded.
    assert sorted(recorded()) == [("migrated", migrations.head()), ("ready", migrations.head())]


def test_an_outage_of_postgres_gives_503_and_recovers(
    stack: tuple[Backend, PostgresServer, RedisServer],
) -> None:
    server, postgres, _ = stack
    server.start()
    user = User(server.url)
    channel = user.channel()["id"]
    with user.socket() as socket:
        postgres.stop()
        for _ in range(4):
            answer = user.post(f"/channels/{channel}/messages", {"content": "anybody?"})
            assert (answer.status_code, answer.json()["code"]) == (503, "database_away")
            assert answer.headers["retry-after"]
        assert health(server).status_code == 503
        assert health(server, "/health/live").status_code == 200
        socket.send(orjson.dumps({"type": "typing", "channel_id": channel}).decode())
        assert frames_until(socket, lambda frame: frame["type"] == "error")[-1]["code"] == "database_away"
        server.wait_for_entries("the outage", message="Postgres is away", level="error")
        postgres.start()
        # Two processes, each with its own connections: both must recover.
        healthy = 0

        def steady() -> bool:
            nonlocal healthy
            healthy = healthy + 1 if health(server).status_code == 200 else 0
            return healthy >= 20

        wait_until(steady, "health is steady again")
        posted = user.post_message(channel, "there you are")
        assert frames_until(socket, lambda frame: frame.get("id") == posted["id"])
    messages = user.get(f"/channels/{channel}/messages").json()["items"]
    assert [item["content"] for item in messages if item["sender_id"]] == ["there you are"]


def test_a_hanging_postgres_gives_503(stack: tuple[Backend, PostgresServer, RedisServer]) -> None:
    server, postgres, _ = stack
    server.start()
    user = User(server.url)
    with psycopg.connect(postgres.conninfo, autocommit=True) as locker, locker.transaction():
        # Statements hang, as with a hanging server.
        locker.execute("LOCK TABLE alembic_version, users IN ACCESS EXCLUSIVE MODE")
        assert health(server).status_code == 503
        assert user.get("/auth/me").status_code == 503
        assert health(server, "/health/live").status_code == 200
    wait_until(lambda: health(server).status_code == 200, "it is healthy again")
    assert user.get("/auth/me").status_code == 200


def test_a_restart_of_postgres_recovers(
    stack: tuple[Backend, PostgresServer, RedisServer],
) -> None:
    server, postgres, _ = stack
    server.start()
    user = User(server.url)
    postgres.restart()
    # A service that noticed the outage may wait a moment before it tries again.
    wait_until(lambda: user.get("/auth/me").status_code == 200, "the service has found Postgres again")
    assert [user.get("/auth/me").status_code for _ in range(10)] == [200] * 10


def test_connections_that_postgres_closed_cost_no_request(migrated_postgres: PostgresServer) -> None:
    """All of them were closed, as after a restart. The pool alone would pause at the second and third for seconds."""
    size = 4

    async def ask() -> None:
        database = Database(migrated_postgres.conninfo, size)
        await database.open()
        try:
            pids: set[int] = set()
            while len(pids) < size:
                sleeping = "SELECT pg_backend_pid() AS pid, pg_sleep(0.1)"
                rows = await asyncio.gather(*(database.fetch_one(sleeping, {}) for _ in range(size)))
                pids = {row["pid"] for row in rows if row}
            with psycopg.connect(migrated_postgres.conninfo, autocommit=True) as connection:
                connection.execute("SELECT pg_terminate_backend(pid, 10000) FROM unnest(%s::int[]) pid", ([*pids],))
            found = [await database.fetch_one("SELECT pg_backend_pid() AS pid", {}) for _ in range(size)]
            assert not pids & {row["pid"] for row in found if row}
        finally:
            await database.close()

    asyncio.run(ask())


def test_an_outage_of_redis_keeps_writes_and_local_delivery_and_recovers(
    stack: tuple[Backend, PostgresServer, RedisServer],
) -> None:
    server, _, redis = stack
    server.environment["PLUMBLINE_WORKERS"] = "1"
    server.start()
    user = User(server.url)
    channel = user.channel()["id"]
    with user.socket() as socket:
        redis.stop()
        for number in range(3):
            posted = user.post_message(channel, f"without redis {number}")
            assert frames_until(socket, lambda frame: frame.get("id") == posted["id"])  # noqa: B023
        login = through_caddy(
            "POST",
            server.url + "/auth/login",
            data={"username": user.name, "password": user.password},
            timeout=TIMEOUT_S,
        )
        assert login.status_code == 200
        server.wait_for_entries("the outage", message="Redis", level="warning")
        redis.start()
        server.wait_for_entries("the end of the outage", message="is back")
        sent = [user.post_message(channel, f"with redis {number}")["id"] for number in range(5)]
        heard = [frame["id"] for frame in frames_until(socket, lambda frame: frame.get("id") == sent[-1])]
        assert heard == sent


def test_without_redis_the_sockets_of_an_ended_session_are_closed(
    stack: tuple[Backend, PostgresServer, RedisServer],
) -> None:
    server, _, redis = stack
    assert server.migrate().returncode == 0
    server.start()
    user = User(server.url)
    redis.stop()
    try:
        with user.socket() as first, user.socket() as second:
            assert user.post("/auth/logout").status_code == 204
            for socket in (first, second):
                with pytest.raises(websockets.ConnectionClosed):
                    socket.recv(timeout=TIMEOUT_S)
                assert socket.protocol.close_code == 4401
    finally:
        redis.start()


def test_a_logout_that_cannot_be_stored_is_refused_and_can_be_repeated(
    stack: tuple[Backend, PostgresServer, RedisServer],
) -> None:
    server, postgres, _ = stack
    assert server.migrate().returncode == 0
    server.start()
    user = User(server.url)
    token = user.token
    postgres.stop()
    refused = user.post("/auth/logout")
    assert (refused.status_code, refused.json()["code"]) == (503, "database_away")
    assert "Set-Cookie" not in refused.headers
    postgres.start()
    wait_until(lambda: user.post("/auth/logout").status_code == 204, "the logout is repeated")
    bearer = {"Authorization": f"Bearer {token}"}

    def statuses() -> set[int]:
        calls = range(20)
        return {
            through_caddy("GET", server.url + "/auth/me", headers=bearer, timeout=TIMEOUT_S).status_code for _ in calls
        }

    wait_until(lambda: statuses() == {401}, "the session has ended")


def test_stop_closes_open_sockets_and_logs_no_error(stack: tuple[Backend, PostgresServer, RedisServer]) -> None:
    server, _, _ = stack
    server.start()
    with User(server.url).socket() as socket:
        assert server.stop() == 0
        with pytest.raises(websockets.ConnectionClosed):
            socket.recv(timeout=TIMEOUT_S)
    # "Service restart": the client shall reconnect.
    assert socket.protocol.close_code == 1012
    assert [entry for entry in server.entries() if entry["level"] in ("error", "critical")] == []
