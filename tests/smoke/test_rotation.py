"""Each secret is replaced on the running stack while clients write, log in and listen: no request fails.

Protects from users who are thrown out, or requests that fail, while a secret is replaced.
"""

from __future__ import annotations

import secrets as random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import jwt
import psycopg
import pytest
import redis
from servicekit.rotating import Value
from servicekit.secrets import read_secret

from plumbline.secret_files import SECRETS
from plumbline.stack import Stack
from plumbline.targets.base import Target
from plumbline.verification.checks import contract, rotation, rows, sessions
from plumbline.verification.checks.client import Answer, User
from plumbline.verification.checks.rotation import Load, rotate

pytestmark = pytest.mark.disrupt

_WAIT_S = 60.0
_SETTLED_S = 150.0
"""A component that other checks killed several times counts as failed until it has run for a minute."""


@pytest.fixture(autouse=True)
def _whole(target: Target) -> None:
    """Wait until the stack is whole: secrets of another are not replaced."""
    deadline = time.monotonic() + _SETTLED_S
    while problems := target.stack().problems():
        assert time.monotonic() < deadline, f"the stack is not whole, so its secrets cannot be replaced: {problems}"
        time.sleep(1)


def secret_of(stack: Stack, name: str) -> str:
    return read_secret(Path(stack.home) / "secrets" / name)


@contextmanager
def used(writer: User, other: User, meanwhile: str) -> Iterator[Load]:
    """Let two users write, log in, read and listen during the block; fail if a request fails or a message is missed."""
    channel = writer.create_channel()["id"]
    other.post(f"/channels/{channel}/join").expect(200)

    def write(number: int) -> Answer:
        return writer.post(f"/channels/{channel}/messages", {"content": f"{number}"})

    def use_a_new_session(_: int) -> Answer:
        token = other.login().expect(200)["access_token"]
        path = f"/data-processor/documents/?channel_id={channel}"
        return other.call("GET", path, headers=sessions.bearer(token))

    with other.socket() as socket:

        def listen(_: int) -> None:
            socket.drain()  # a socket that is not read would be closed
            time.sleep(0.05)

        with Load(writer=write, sessions=use_a_new_session, listener=listen) as load:
            yield load
            load.go_on()
        load.expect_no_failure(meanwhile)
        rotation.wait_for_messages(socket, map(str, range(load.rounds["writer"])))


def journal_of(stack: Stack) -> Path:
    return Path(stack.home) / "secrets" / ".rotation"


def rotations_of(stack: Stack, name: str) -> int:
    with rows.connect(stack) as database:
        event = "SELECT count(*) AS rotations FROM stack_events WHERE event = 'rotated' AND detail = %s"
        found = database.execute(event, [name]).fetchone()
    assert found is not None
    return int(found["rotations"])


@pytest.mark.parametrize("name", SECRETS)
def test_a_rotation_fails_no_request_also_if_it_is_killed(
    target: Target, stack: Stack, alice: User, bob: User, name: str, tmp_path: Path
) -> None:
    """The command is killed before each of its actions in turn, and finished by the same command."""
    before, recorded = secret_of(stack, name), rotations_of(stack, name)
    pids = {one.name: one.pid for one in stack.components}
    with used(alice, bob, f"the rotation of {name}, which was killed"):
        actions = rotation.rotate_killed(stack, name, tmp_path / "killed_at")
    assert len(actions) > 5, f"the command was killed before these actions only: {actions}"
    assert secret_of(stack, name) != before, f"{name} is the same as before"
    assert {one.name: one.pid for one in target.stack().components} == pids, "components were restarted"
    if name == "postgres_password":
        assert rotation.other_values(stack, name) == (), "a second password is kept"
    assert rotations_of(stack, name) > recorded, "the rotation is not recorded in stack_events"
    assert not journal_of(stack).exists(), f"{journal_of(stack)} is left, although the rotation is finished"


def answered(call: Callable[[], Answer]) -> Answer:
    """Repeat a call that finds a connection which was cut: it is replaced at the first use."""
    deadline = time.monotonic() + _WAIT_S
    while (answer := call()).status == 503 and time.monotonic() < deadline:
        time.sleep(0.1)
    return answer


def test_services_connect_with_the_new_passwords(target: Target, stack: Stack, alice: User) -> None:
    """Connections that stay open prove nothing: they are cut, and the former passwords are refused."""
    former = {name: secret_of(stack, name) for name in ("postgres_password", "redis_password")}
    channel = alice.create_channel()["id"]
    for name in former:
        rotate(stack, name)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(**{**stack.postgres.parameters(), "password": former["postgres_password"]}).close()
    refused = pytest.raises(redis.AuthenticationError)
    with refused, redis.Redis.from_url(stack.redis.url, password=former["redis_password"]) as client:
        client.ping()
    with rows.connect(stack) as database:
        others = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename = user"
        )
        database.execute(others)
    target.kill("redis")
    answered(lambda: alice.get(f"/channels/{channel}/messages")).expect(200)
    with alice.socket() as socket:
        deadline = time.monotonic() + _WAIT_S
        while not any(frame["type"] == "message" for frame in socket.drain()):
            assert time.monotonic() < deadline, "no event came over Redis after its password was replaced"
            answered(lambda: alice.post(f"/channels/{channel}/messages", {"content": "still here"})).expect(201)
    answered(lambda: alice.get(f"/data-processor/documents/?channel_id={channel}")).expect(200)


def test_a_second_value_is_kept_only_as_long_as_it_is_needed(stack: Stack) -> None:
    former = secret_of(stack, "token_secret")
    rotate(stack, "token_secret")
    lasts_s = contract.setting(stack, "PLUMBLINE_SESSION_TTL_S", contract.SESSION_TTL_S)
    (end,) = [one.until for one in rotation.other_values(stack, "token_secret") if one.text == former]
    assert end is not None, "the former signing key is accepted for ever"
    assert 0 < end - time.time() <= lasts_s, f"the former signing key ends in {end - time.time():.0f} s, not {lasts_s}"
    assert not journal_of(stack).exists(), f"{journal_of(stack)} is left, although the rotation is finished"


def test_sessions_outlive_a_second_rotation(stack: Stack, bob: User) -> None:
    token = bob.login().expect(200)["access_token"]
    for _ in range(2):
        rotate(stack, "token_secret")
    for service, path in sessions.PATHS.items():
        status = bob.call("GET", path, headers=sessions.bearer(token)).status
        assert status != 401, f"{service}: a session ended when the signing key was replaced for the second time"


def test_a_former_key_is_accepted_until_it_ends(target: Target, stack: Stack, alice: User) -> None:
    claims = jwt.decode(alice.token, options={"verify_signature": False})
    former, kept = random.token_urlsafe(48), rotation.other_values(stack, "token_secret")
    token = jwt.encode(claims, former, algorithm="HS256")
    try:
        for ends_in_s, status in ((600, 200), (-1, 401)):
            value = Value(former, time.time() + ends_in_s)
            rotation.accept(target, stack, "token_secret", [value, *kept])
            for path in (sessions.PATHS["backend"], sessions.PATHS["data-processor"]):
                answer = alice.call("GET", path, headers=sessions.bearer(token))
                assert answer.status == status, (
                    f"{path}: a session of a former key that ends in {ends_in_s} s was answered with {answer.status}"
                )
    finally:
        rotation.accept(target, stack, "token_secret", kept)
