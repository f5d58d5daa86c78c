"""Limits of failed logins, of registrations, and invites."""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
import redis.asyncio as aioredis
import requests
from backend.counters import Counter, Store

from plumbline.verification.throwaway import PostgresServer, RedisServer, through_caddy

from .conftest import TIMEOUT_S, Backend, User

FLOOD = 150


@pytest.fixture(scope="module")
def limited(
    tmp_path_factory: pytest.TempPathFactory, migrated_postgres: PostgresServer, redis_server: RedisServer
) -> Iterator[Backend]:
    """A backend with the default limits."""
    server = Backend(tmp_path_factory.mktemp("limited"), migrated_postgres, redis_server.url, workers=2)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(autouse=True)
def _no_counts(redis_server: RedisServer) -> None:
    """Reset all counts."""
    with redis.Redis.from_url(redis_server.admin_url) as client:
        for pattern in ("plumbline:login*", "plumbline:registration*"):
            for key in client.scan_iter(pattern):
                client.delete(key)


def new_address() -> str:
    return f"2001:db8:{secrets.token_hex(2)}:{secrets.token_hex(2)}::{secrets.token_hex(2)}"


def post(server: Backend, path: str, address: str, **body: object) -> requests.Response:
    return through_caddy("POST", server.url + path, headers={"X-Forwarded-For": address}, timeout=TIMEOUT_S, **body)  # type: ignore[arg-type]


def login(server: Backend, username: str, password: str, address: str) -> requests.Response:
    return post(server, "/auth/login", address, data={"username": username, "password": password})


def register(server: Backend, address: str, name: str | None = None, **more: str) -> requests.Response:
    body = {"username": name or f"user-{secrets.token_hex(6)}", "password": "violet-anchor-93", **more}
    return post(server, "/auth/register", address, json=body)


def log_in_during_flood(server: Backend, address: str, logins: list[tuple[str, str]]) -> list[int]:
    """Return the statuses of right logins (name, address) beside failing ones from `address` with new names."""
    ready = threading.Barrier(FLOOD + len(logins) + 1)

    def bad(_: int) -> int:
        ready.wait()
        return login(server, f"nobody-{secrets.token_hex(8)}", "violet-anchor-93", address).status_code

    def right(who: tuple[str, str]) -> int:
        ready.wait()
        return login(server, who[0], "violet-anchor-93", who[1]).status_code

    with ThreadPoolExecutor(FLOOD + len(logins)) as pool:
        failing = [pool.submit(bad, number) for number in range(FLOOD)]
        answers = [pool.submit(right, who) for who in logins]
        ready.wait()
        assert {future.result() for future in failing} <= {401, 429, 503}
        return [answer.result() for answer in answers]


def test_right_logins_from_other_addresses_succeed_beside_150_failing_ones(limited: Backend) -> None:
    names = [register(limited, new_address()).json()["username"] for _ in range(12)]
    assert log_in_during_flood(limited, new_address(), [(name, new_address()) for name in names]) == [200] * 12


def test_right_logins_from_the_same_address_succeed_beside_150_failing_ones(limited: Backend) -> None:
    shared = new_address()
    names = [register(limited, shared).json()["username"] for _ in range(12)]
    assert log_in_during_flood(limited, shared, [(name, shared) for name in names]) == [200] * 12


def test_an_address_with_many_failures_is_throttled_except_for_its_known_users(limited: Backend) -> None:
    attacker = new_address()
    resident = register(limited, attacker).json()["username"]
    visitor = register(limited, new_address()).json()["username"]
    neighbour = ":".join(attacker.split(":")[:4]) + "::99"

    def bad(_: int) -> int:
        return login(limited, f"nobody-{secrets.token_hex(8)}", "violet-anchor-93", attacker).status_code

    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(bad, range(210)))
    assert statuses.count(429) == 10
    refused = login(limited, visitor, "violet-anchor-93", neighbour)
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_attempts")
    assert "your address" in refused.json()["detail"]
    assert 0 < int(refused.headers["retry-after"]) <= 60
    assert login(limited, resident, "violet-anchor-93", attacker).status_code == 200
    assert login(limited, visitor, "violet-anchor-93", new_address()).status_code == 200


def test_failures_from_other_addresses_do_not_lock_a_user_out_of_a_known_one(limited: Backend) -> None:
    home = new_address()
    name = register(limited, home).json()["username"]
    strangers = [new_address() for _ in range(7)]

    def guess(number: int) -> int:
        return login(limited, name, "not the password", strangers[number % 7]).status_code

    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(guess, range(7 * 30)))
    assert statuses.count(429) == 10
    assert "this user name" in login(limited, name, "violet-anchor-93", new_address()).json()["detail"]
    assert login(limited, name, "violet-anchor-93", home).status_code == 200


def test_take_back_after_the_window_leaves_a_key_that_expires(redis_server: RedisServer) -> None:
    async def left_s() -> list[int]:
        async with aioredis.Redis.from_url(redis_server.admin_url) as client:
            await Counter(Store(client), "login-name", limit=1, window_s=60).take_back("ada")
            return [await client.ttl(key) async for key in client.scan_iter("plumbline:login-name:*")]

    # In one transaction: otherwise a key that never expires could remain and block its name for ever.
    (found,) = asyncio.run(left_s())
    assert 0 < found <= 60


def test_registration_is_limited_by_address(
    tmp_path_factory: pytest.TempPathFactory, migrated_postgres: PostgresServer, redis_server: RedisServer
) -> None:
    folder = tmp_path_factory.mktemp("few")
    server = Backend(folder, migrated_postgres, redis_server.url, workers=1, registrations_per_address=3)
    try:
        server.start()
        address = new_address()
        answers = [register(server, address) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [201, 201, 201, 429]
        assert answers[-1].json()["code"] == "too_many_registrations"
        assert int(answers[-1].headers["retry-after"]) > 0
        assert register(server, new_address()).status_code == 201
    finally:
        server.stop()


def test_closed_registration_is_refused(
    tmp_path_factory: pytest.TempPathFactory, migrated_postgres: PostgresServer, redis_server: RedisServer
) -> None:
    server = Backend(tmp_path_factory.mktemp("closed"), migrated_postgres, redis_server.url, registration="closed")
    try:
        server.start()
        refused = register(server, new_address())
        assert (refused.status_code, refused.json()["code"]) == (403, "registration_closed")
        assert "ask an operator" in refused.json()["detail"]
    finally:
        server.stop()


@pytest.fixture(scope="module")
def by_invite(
    tmp_path_factory: pytest.TempPathFactory, migrated_postgres: PostgresServer, redis_server: RedisServer
) -> Iterator[Backend]:
    server = Backend(
        tmp_path_factory.mktemp("invite"), migrated_postgres, redis_server.url, workers=2, registration="invite"
    )
    try:
        server.start()
        yield server
    finally:
        server.stop()


class Operator:
    def __init__(self, server: Backend) -> None:
        self.url = server.url
        password = (server.log.parent / "operator_password").read_text()
        token = login(server, "operator", password, new_address()).json()["access_token"]
        self.headers = {"Authorization": f"Bearer {token}"}

    def call(self, method: str, path: str = "") -> requests.Response:
        return through_caddy(method, self.url + "/auth/invites" + path, headers=self.headers, timeout=TIMEOUT_S)


def test_an_invite_is_valid_for_one_registration(by_invite: Backend) -> None:
    operator = Operator(by_invite)
    assert register(by_invite, new_address()).json()["code"] == "invite_needed"
    assert register(by_invite, new_address(), invite="guessed").json()["code"] == "invite_needed"
    made = operator.call("POST")
    assert made.status_code == 201
    code = made.json()["code"]

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: register(by_invite, new_address(), invite=code), range(6)))
    assert sorted(answer.status_code for answer in answers) == [201] + [403] * 5
    assert {answer.json()["code"] for answer in answers if answer.status_code == 403} == {"invite_needed"}
    user = next(answer.json() for answer in answers if answer.status_code == 201)
    listed = next(item for item in operator.call("GET").json()["items"] if item["id"] == made.json()["id"])
    assert listed["used_by"] == user["id"]
    assert listed["used_at"]
    assert "code" not in listed


def test_a_taken_name_uses_up_no_invite_and_a_deleted_invite_is_refused(by_invite: Backend) -> None:
    operator = Operator(by_invite)
    made = operator.call("POST").json()
    assert register(by_invite, new_address(), "operator", invite=made["code"]).json()["code"] == "username_taken"
    assert operator.call("DELETE", f"/{made['id']}").status_code == 204
    assert operator.call("DELETE", f"/{made['id']}").json()["code"] == "no_such_invite"
    assert register(by_invite, new_address(), invite=made["code"]).json()["code"] == "invite_needed"


def test_only_operators_manage_invites(limited: Backend) -> None:
    user = User(limited.url)
    assert user.post("/auth/invites").json()["code"] == "not_an_operator"
    assert user.get("/auth/invites").json()["code"] == "not_an_operator"


def test_without_redis_each_process_counts_by_itself(
    tmp_path_factory: pytest.TempPathFactory, migrated_postgres: PostgresServer
) -> None:
    server = Backend(
        tmp_path_factory.mktemp("alone"),
        migrated_postgres,
        "redis://127.0.0.1:1/0",
        workers=1,
        login_attempts=100,
        login_attempts_per_address=3,
    )
    try:
        server.start()
        address = new_address()
        resident = register(server, address).json()["username"]
        statuses = [login(server, f"nobody-{number}", "guess", address).status_code for number in range(4)]
        assert statuses == [401, 401, 401, 429]
        started = time.monotonic()
        assert login(server, resident, "violet-anchor-93", address).status_code == 200
        assert time.monotonic() - started < TIMEOUT_S
    finally:
        server.stop()
