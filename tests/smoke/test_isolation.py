"""Other local users and other hosts cannot use the stack's internal ports.

Protects from access to the database, Redis and services past the front door.
"""

from __future__ import annotations

import socket
from pathlib import Path

import psycopg
import pytest
import redis

from plumbline import net, recorder
from plumbline.errors import NotGivenError
from plumbline.home import Home
from plumbline.stack import Stack
from plumbline.verification.checks import findings
from plumbline.verification.checks.client import TIMEOUT_S, Answer, User
from plumbline.verification.checks.contract import EVENTS_CHANNEL, HEALTH_PATHS, INTERNAL_HEADER
from plumbline.verification.throwaway import unprivileged, wait_for_value

GUARDS = {
    "front": "sessions",
    "internal": "the internal secret",
    "backend": "the internal secret",
    "data-processor": "the internal secret",
    "log-sink": "the internal secret",
    "log-ingest": "the internal secret in each datagram",
    "postgres": "the role's password",
    "redis": "its password",
}
"""Every port of an embedded stack, and its protection."""
DESTRUCTIVE = ("FLUSHALL", "CONFIG SET requirepass x", "SAVE")
ADMIN_COMMANDS = (*DESTRUCTIVE, "BGSAVE", "BGREWRITEAOF", "REPLICAOF 127.0.0.1 1", "SHUTDOWN SAVE", "SCRIPT FLUSH")
"""Commands that would harm a stack if Redis did not refuse them."""
PATHS = {"backend": "/channels/", "data-processor": "/data-processor/templates/", "log-sink": "/logs/entries"}


@pytest.fixture
def ports(stack: Stack) -> dict[str, int]:
    """The ports of an embedded stack."""
    found = Home(Path(stack.home)).load().ports if stack.home else {}
    if not set(GUARDS) <= found.keys():
        raise NotGivenError("needs a stack whose internal ports can be reached (--target embedded)")
    return found


@pytest.mark.parametrize("shown", [None, "", "guessed"])
@pytest.mark.parametrize("service", PATHS)
def test_services_need_the_internal_secret(alice: User, ports: dict[str, int], service: str, shown: str | None) -> None:
    place = f"http://127.0.0.1:{ports[service]}"
    headers = {"Authorization": f"Bearer {alice.token}", "X-Forwarded-For": "203.0.113.9", "X-Operator": "operator"}
    headers |= {} if shown is None else {INTERNAL_HEADER: shown}
    with unprivileged(), net.direct_session() as http:
        refused = Answer(http.get(place + PATHS[service], headers=headers, timeout=TIMEOUT_S)).expect_problem(403)
        assert refused["code"] == "front_door_only"
        assert http.get(place + HEALTH_PATHS[service], timeout=TIMEOUT_S).status_code == 200


@pytest.mark.parametrize("shown", [None, "", "guessed"])
def test_other_local_users_cannot_send_log_entries(stack: Stack, ports: dict[str, int], shown: str | None) -> None:
    headers = {} if shown is None else {INTERNAL_HEADER: shown}
    forged = {"level": "error", "service": "backend", "message": "forged entry"}
    with unprivileged(), net.direct_session() as http:
        for place, status in (("internal", 403), ("log-sink", 403)):
            answer = http.post(
                f"http://127.0.0.1:{ports[place]}/ingest", json=forged, headers=headers, timeout=TIMEOUT_S
            )
            assert answer.status_code == status, (place, answer.text)
        for path in ("/", "/logs/entries", "/channels/", "/metrics"):
            assert (
                http.get(f"http://127.0.0.1:{ports['internal']}{path}", headers=headers, timeout=TIMEOUT_S).status_code
                == 404
            )
    kept = [one["message"] for one in recorder.entries(stack, q="forged entry")]
    assert not kept, f"log-sink: kept entries that another local user sent, expected none: {kept}"


def test_forged_datagrams_are_counted_and_not_shown(stack: Stack, ports: dict[str, int]) -> None:
    before = recorder.kept(stack)[1]["dropped"]
    with unprivileged(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for key in (b"", b',"plumbline_key":"guessed"'):
            entry = b'{"level":"error","logger":"tls","msg":"forged entry"%s}' % key
            sender.sendto(entry, ("127.0.0.1", ports["log-ingest"]))
    wait_for_value(
        lambda: recorder.kept(stack)[1]["dropped"],
        lambda dropped: dropped >= before + 2,
        f"{before + 2} dropped entries: both forged datagrams are counted",
    )
    kept = [one["message"] for one in recorder.entries(stack, q="forged entry")]
    assert not kept, f"log-sink: kept forged datagrams of another local user, expected none: {kept}"


@pytest.mark.parametrize("password", [None, "guessed"])
@pytest.mark.parametrize(
    "command",
    ["PING", f"SUBSCRIBE {EVENTS_CHANNEL}", *(pytest.param(one, marks=pytest.mark.disrupt) for one in DESTRUCTIVE)],
)
def test_redis_refuses_other_local_users(stack: Stack, password: str | None, command: str) -> None:
    shown = "a guessed password" if password else "no password"
    with (
        unprivileged(),
        redis.Redis.from_url(stack.redis.url, password=password, socket_timeout=TIMEOUT_S) as stranger,
        findings.refused(
            f"redis: {command} of another local user with {shown}", by=redis.AuthenticationError,
            then="docker/redis/redis.sh gives the user its password; then ./deploy-local.sh",
        ),
    ):  # fmt: skip
        stranger.execute_command(*command.split())  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    "command",
    [
        "CONFIG GET dir", "DEBUG SLEEP 0", "MODULE LIST", "KEYS *", "MONITOR", "ACL LIST", "SUBSCRIBE another",
        *(pytest.param(one, marks=pytest.mark.disrupt) for one in ADMIN_COMMANDS),
    ],
)  # fmt: skip
def test_services_cannot_administer_redis(stack: Stack, command: str) -> None:
    with (
        stack.redis.connect(socket_timeout=TIMEOUT_S) as services,
        findings.refused(
            f"redis: {command} of the services", by=redis.ResponseError, saying="(?i)no permissions|unknown command",
            then="docker/redis/redis.sh gives the user its rights; then ./deploy-local.sh",
        ),
    ):  # fmt: skip
        services.execute_command(*command.split())  # type: ignore[no-untyped-call]


def test_postgres_refuses_other_local_users(stack: Stack) -> None:
    known = stack.postgres.parameters()
    for password in ("", "guessed"):
        shown = f"the password {password!r}" if password else "no password"
        with unprivileged(), findings.refused(
            f"postgres: another local user with {shown}", by=psycopg.OperationalError, saying="password",
            then="pg_hba.conf in the data directory says who may log in; ./deploy-local.sh reset makes a new one",
        ):  # fmt: skip
            psycopg.connect(**(known | {"password": password}), connect_timeout=int(TIMEOUT_S)).close()
