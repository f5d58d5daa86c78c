"""Each secret is replaced on the running stack while clients write, log in and listen: no request fails."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from servicekit.secrets import read_secret

from plumbline.errors import NotGivenError
from plumbline.secret_files import SECRETS, also
from plumbline.stack import Stack
from plumbline.targets.base import Target
from plumbline.verification.checks import rows
from plumbline.verification.checks.client import Answer, User

pytestmark = pytest.mark.disrupt

_ENOUGH = 5
"""Successful rounds of each client after a rotation, before it counts as survived."""
_WAIT_S = 60.0


class Load:
    """Clients that each repeat one thing until they are stopped, and record every answer that is not as expected."""

    def __init__(self, **clients: Callable[[int], Answer]) -> None:
        self.rounds = dict.fromkeys(clients, 0)
        self.failed: list[str] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._repeat, args=one) for one in clients.items()]

    def _repeat(self, name: str, client: Callable[[int], Answer]) -> None:
        while not self._stop.is_set():
            try:
                answer = client(self.rounds[name])
                if answer.status not in (200, 201):
                    self.failed.append(f"{name}, round {self.rounds[name]}: {answer.status} {answer.body[:200]!r}")
            except Exception as error:
                self.failed.append(f"{name}, round {self.rounds[name]}: {error!r}")
            self.rounds[name] += 1

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        self.go_on()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(_WAIT_S)

    def go_on(self) -> None:
        """Wait until each client has done some more rounds."""
        wanted = {name: count + _ENOUGH for name, count in self.rounds.items()}
        deadline = time.monotonic() + _WAIT_S
        while any(self.rounds[name] < count for name, count in wanted.items()):
            assert time.monotonic() < deadline, f"clients are stuck: {self.rounds}, failed: {self.failed}"
            time.sleep(0.02)


def rotate(stack: Stack, name: str) -> str:
    """Run the command as an operator does."""
    if not stack.home:
        raise NotGivenError("needs the home of the stack, to replace its secrets")
    command = [sys.executable, "-m", "plumbline", "rotate-secret", name, "--home", stack.home]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("name", SECRETS)
def test_a_rotation_fails_no_request(target: Target, stack: Stack, alice: User, bob: User, name: str) -> None:
    channel = alice.create_channel()["id"]
    bob.post(f"/channels/{channel}/join").expect(200)
    file = Path(stack.home) / "secrets" / name
    before = read_secret(file)
    pids = {one.name: one.pid for one in stack.components}

    def write(number: int) -> Answer:
        return alice.post(f"/channels/{channel}/messages", {"content": f"{number}"})

    def use_a_new_session(_: int) -> Answer:
        token = bob.login().expect(200)["access_token"]
        return bob.call(
            "GET", f"/data-processor/documents/?channel_id={channel}", headers={"Authorization": f"Bearer {token}"}
        )

    with bob.socket() as socket:
        with Load(writer=write, sessions=use_a_new_session) as load:
            said = rotate(stack, name)
            load.go_on()
        assert load.failed == []
        socket.wait_for("message", content=f"{load.rounds['writer'] - 1}")
        shown = {frame["content"] for frame in socket.received if frame["type"] == "message"}

    written = {f"{number}" for number in range(load.rounds["writer"])}
    assert written <= shown, f"the listener missed {sorted(written - shown)[:5]}"
    assert read_secret(file) != before, said
    assert {one.name: one.pid for one in target.stack().components} == pids, "nothing restarts"
    alice.get("/auth/me").expect(200)
    with rows.connect(stack) as database:
        event = "SELECT count(*) AS rotations FROM stack_events WHERE event = 'rotated' AND detail = %s"
        found = database.execute(event, [name]).fetchone()
    assert found is not None
    assert found["rotations"] >= 1


def answered(call: Callable[[], Answer]) -> Answer:
    """Repeat a call that finds a connection which was cut: it is replaced at the first use."""
    deadline = time.monotonic() + _WAIT_S
    while (answer := call()).status == 503 and time.monotonic() < deadline:
        time.sleep(0.1)
    return answer


def test_services_connect_with_the_new_passwords(target: Target, stack: Stack, alice: User) -> None:
    """Connections that stay open prove nothing: they are cut, and the former passwords are refused."""
    formers = {
        name: read_secret(Path(stack.home) / "secrets" / name) for name in ("postgres_password", "redis_password")
    }
    channel = alice.create_channel()["id"]
    for name in formers:
        rotate(stack, name)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(**{**stack.postgres.parameters(), "password": formers["postgres_password"]}).close()
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
    folder = Path(stack.home) / "secrets"
    if not (folder / also("token_secret")).read_text():
        # Once alone: a second rotation ends the sessions of other checks, which are signed with the key before.
        rotate(stack, "token_secret")
    former, end = (folder / also("token_secret")).read_text().splitlines()
    assert former != read_secret(folder / "token_secret")
    assert float(end) > time.time()
    assert (folder / also("postgres_password")).read_text() == ""
    assert not (folder / ".rotation").exists()
