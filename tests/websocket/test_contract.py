"""The WebSocket contract: the baseline and today's backend send the same frames, ids and times aside."""

from __future__ import annotations

import json
import re
import secrets
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from .conftest import RELEASES, Release

TRANSCRIPT = Path(__file__).with_name("transcript.json")
"""What the contract demands. Both releases are compared with it, so neither can change unnoticed."""
TIMEOUT_S = 30
PASSWORD = "five good words of mine"
BAD_FRAMES = {
    "no JSON": "{",
    "a list": "[]",
    "no type": "{}",
    "a type that is no text": '{"type": 1}',
    "an unknown type": '{"type": "shout"}',
    "a message without a channel": '{"type": "message"}',
    "typing in a channel that is text": '{"type": "typing", "channel_id": "1"}',
    "a message to channel 0": '{"type": "message", "channel_id": 0}',
    "typing in a huge channel": '{"type": "typing", "channel_id": 9223372036854775808}',
    "a ping without a time": '{"type": "ping"}',
    "a ping whose time is text": '{"type": "ping", "payload": {"sent_at_ms": "1"}}',
    "bytes": b'{"type": "ping", "payload": {"sent_at_ms": 1}}',
    "nesting too deep to pass on": '{"type": "message", "channel_id": CHANNEL, "deep": ' + "[" * 600 + "]" * 600 + "}",
}
_IDS = {"sender_id": "user", "user_id": "user", "target_user_id": "user", "created_by": "user", "channel_id": "channel"}
_TIMES = ("timestamp", "created_at", "joined_at")


class Scenario:
    """What clients of one release do, and the record of what they were answered and sent."""

    def __init__(self, release: Release, open_sockets: ExitStack) -> None:
        self.release = release
        self.record: list[list[Any]] = []
        self._open_sockets = open_sockets
        self._mark = secrets.token_hex(4)
        self._numbers: defaultdict[str, dict[int, str]] = defaultdict(dict)

    def user(self, name: str) -> Client:
        """Register a user."""
        client = Client(self, name, f"{name}-{self._mark}")
        body = {"username": client.username, "password": PASSWORD, "display_name": f"{name.title()} {self._mark}"}
        client.id = client.call("registers", "POST", "/auth/register", **body)["id"]
        return client

    def channel_name(self, name: str) -> str:
        """Return a channel's name that no other run uses."""
        return f"{name}-{self._mark}"

    def note(self, what: str, seen: Any) -> None:
        """Append to the record."""
        self.record.append([what, self.plain(seen)])

    def connect(self, client: Client, user_id: int | None = None, **headers: str) -> ClientConnection:
        """Open a socket with a client's session."""
        address = self.release.url.replace("http", "ws", 1) + f"/ws/{user_id or client.id}"
        cookies = "; ".join(f"{name}={value}" for name, value in client.http.cookies.items())
        sent = {**self.release.headers, **({"Cookie": cookies} if cookies else {}), **headers}
        return self._open_sockets.enter_context(connect(address, additional_headers=sent, proxy=None, max_size=None))

    def plain(self, value: Any, key: str = "", kind: str = "") -> Any:
        """Return a value without ids, times and the mark of this run."""
        if isinstance(value, dict):
            kind = "message" if "content" in value else "channel" if "created_by" in value else "user"
            return {name: self.plain(one, name, kind) for name, one in value.items()}
        if isinstance(value, list):
            return [self.plain(one, key) for one in value]
        kind = _IDS.get(key, kind if key == "id" else "")
        if kind and type(value) is int:
            return self._numbers[kind].setdefault(value, f"{kind} {len(self._numbers[kind]) + 1}")
        if key in _TIMES and isinstance(value, str):
            is_recent = abs(datetime.now(UTC) - datetime.fromisoformat(value)) < timedelta(minutes=5)
            return "now" if is_recent else value
        if key == "detail":
            value = re.sub(r"channel \d+", "channel NUMBER", value)
        return value.replace(self._mark, "MARK") if isinstance(value, str) else value


class Client:
    """One user."""

    def __init__(self, scenario: Scenario, name: str, username: str) -> None:
        self.scenario, self.name, self.username, self.id = scenario, name, username, 0
        self.http = requests.Session()
        self.http.headers.update(scenario.release.headers)

    def call(self, what: str, method: str, path: str, **body: Any) -> Any:
        """Make a request, and record its status with its body, or with the code of its refusal."""
        response = self.http.request(method, self.scenario.release.url + path, json=body or None, timeout=TIMEOUT_S)
        answer = response.json() if response.content else None
        shown = answer["code"] if response.status_code >= 400 else answer
        self.scenario.note(f"{self.name} {what}", {"status": response.status_code, "body": shown})
        return answer

    def open(self) -> Socket:
        """Open a socket of this user."""
        return Socket(self, self.scenario.connect(self))


class Socket:
    """A socket of a client, whose frames are recorded."""

    def __init__(self, client: Client, connection: ClientConnection) -> None:
        self._scenario, self._name, self._connection = client.scenario, client.name, connection

    def send(self, frame: object) -> None:
        """Send a frame; text and bytes as they are."""
        self._connection.send(frame if isinstance(frame, str | bytes) else json.dumps(frame))

    def receive(self, number: int = 1) -> list[dict[str, Any]]:
        """Record the next frames and return them."""
        frames = [json.loads(self._connection.recv(timeout=TIMEOUT_S)) for _ in range(number)]
        for frame in frames:
            self._scenario.note(f"{self._name} gets", frame)
        return frames

    def receive_until_closed(self) -> None:
        """Record the code with which the server closes the socket."""
        with pytest.raises(ConnectionClosed) as closed:
            self._connection.recv(timeout=TIMEOUT_S)
        self._scenario.note(f"{self._name} is closed with", closed.value.rcvd.code if closed.value.rcvd else None)


@pytest.fixture
def scenario(release: Release) -> Iterator[Scenario]:
    """A scenario of one release. Its sockets are closed afterwards."""
    with ExitStack() as open_sockets:
        yield Scenario(release, open_sockets)


_records: dict[str, dict[str, list[list[Any]]]] = defaultdict(dict)


def keep(scenario: Scenario, name: str) -> None:
    """Compare the record of a scenario with the contract's, and keep it."""
    _records[scenario.release.name][name] = scenario.record
    assert scenario.record == json.loads(TRANSCRIPT.read_text())[name]


def test_messages_joins_and_two_sockets(scenario: Scenario) -> None:
    ada, bob, eve = map(scenario.user, ("ada", "bob", "eve"))
    of_ada, first, second, of_eve = ada.open(), bob.open(), bob.open(), eve.open()
    name = scenario.channel_name("#room")
    channel = ada.call("creates a channel", "POST", "/channels/", name=name, type="public")["id"]
    of_ada.receive()
    ada.call("creates it again", "POST", "/channels/", name=name, type="public")
    bob.call("posts without being a member", "POST", f"/channels/{channel}/messages", content="no")
    # Opened before bob joined: his sockets get the events of channels that he joins later.
    bob.call("joins", "POST", f"/channels/{channel}/join")
    for socket, frames in ((first, 2), (second, 2), (of_ada, 1)):
        socket.receive(frames)
    bob.call("joins again, which changes nothing", "POST", f"/channels/{channel}/join")
    for client, body in (
        (ada, {"content": "to all of you 😀\n  as it is  "}),
        (bob, {"content": "with a picture", "image_url": "/data-processor/documents/1/content"}),
        (bob, {"content": "\u202e"}),
    ):
        client.call("posts", "POST", f"/channels/{channel}/messages", **body)
        if body["content"] != "\u202e":
            for socket in (of_ada, first, second):
                socket.receive()
    bob.call("reads", "GET", f"/channels/{channel}/messages")
    bob.call("reads the members", "GET", f"/channels/{channel}/members")
    bob.call("leaves", "POST", f"/channels/{channel}/leave")
    of_ada.receive()
    ada.call("posts to nobody else", "POST", f"/channels/{channel}/messages", content="now I am alone")
    of_ada.receive()
    for socket in (first, second, of_eve):
        socket.send({"type": "ping", "payload": {"sent_at_ms": 1}})
        socket.receive()  # nothing came before the pong
    keep(scenario, "messages")


def test_private_and_direct_channels(scenario: Scenario) -> None:
    ada, bob, eve = map(scenario.user, ("ada", "bob", "eve"))
    of_ada, of_bob, of_eve = ada.open(), bob.open(), eve.open()
    secret = scenario.channel_name("back room")
    channel = ada.call("creates a private channel", "POST", "/channels/", name=secret, type="private")["id"]
    of_ada.receive()
    eve.call("joins it", "POST", f"/channels/{channel}/join")
    eve.call("looks who is there", "GET", f"/channels/{channel}/members")
    ada.call("adds bob", "POST", f"/channels/{channel}/members", user_id=bob.id)
    of_ada.receive()
    of_bob.receive(2)
    ada.call("adds bob again", "POST", f"/channels/{channel}/members", user_id=bob.id)
    eve.call("searches for it", "GET", f"/channels/search?name={secret}")
    bob.call("searches for it", "GET", f"/channels/search?name={secret}")
    direct = ada.call("opens a direct channel", "POST", f"/channels/dm/{bob.id}")["id"]
    for socket in (of_ada, of_bob):
        socket.receive(2)
    bob.call("opens the same", "POST", f"/channels/dm/{ada.id}")
    bob.call("cannot leave it", "POST", f"/channels/{direct}/leave")
    ada.call("opens one with herself", "POST", f"/channels/dm/{ada.id}")
    bob.call("posts there", "POST", f"/channels/{direct}/messages", content="between us")
    for socket in (of_ada, of_bob):
        socket.receive()
    of_eve.send({"type": "ping", "payload": {"sent_at_ms": 2}})
    of_eve.receive()
    keep(scenario, "private channels")


def test_relayed_frames_and_pings(scenario: Scenario) -> None:
    ada, bob, eve = map(scenario.user, ("ada", "bob", "eve"))
    name = scenario.channel_name("#relay")
    of_ada, of_bob, again, of_eve = ada.open(), bob.open(), bob.open(), eve.open()
    members = (of_ada, of_bob, again)
    channel = ada.call("creates a channel", "POST", "/channels/", name=name, type="public")["id"]
    of_ada.receive()
    bob.call("joins", "POST", f"/channels/{channel}/join")
    for socket, frames in ((of_ada, 1), (of_bob, 2), (again, 2)):
        socket.receive(frames)
    of_ada.send({"type": "message", "channel_id": channel, "content": "passing by", "own": [1.5, {"deep": None}]})
    for socket in members:
        socket.receive()
    of_bob.send({"type": "typing", "channel_id": channel})
    for socket in members:
        socket.receive()
    of_bob.send({"type": "typing", "channel_id": channel, "user_id": ada.id, "draft": "who is it?"})
    for socket in members:
        socket.receive()
    of_eve.send({"type": "typing", "channel_id": channel})
    of_eve.receive()
    for number in (1, 1700000000123.5, -1, 0):
        again.send({"type": "ping", "payload": {"sent_at_ms": number, "more": "is not answered"}})
        again.receive()
    bob.call("reads, and finds no relayed frame", "GET", f"/channels/{channel}/messages")
    keep(scenario, "relayed frames")


def test_bad_frames_are_answered_and_leave_the_socket_open(scenario: Scenario) -> None:
    ada = scenario.user("ada")
    name = scenario.channel_name("#bad")
    socket = ada.open()
    channel = ada.call("creates a channel", "POST", "/channels/", name=name, type="public")["id"]
    socket.receive()
    for what, frame in BAD_FRAMES.items():
        socket.send(frame.replace("CHANNEL", str(channel)) if isinstance(frame, str) else frame)
        scenario.note(f"ada sends {what}", None)
        socket.receive()
    socket.send({"type": "ping", "payload": {"sent_at_ms": 3}})
    socket.receive()
    socket.send(json.dumps({"type": "message", "channel_id": channel, "content": "x" * 65_536}))
    socket.receive_until_closed()
    keep(scenario, "bad frames")


def test_handshakes(scenario: Scenario) -> None:
    ada, bob = scenario.user("ada"), scenario.user("bob")
    stranger = Client(scenario, "a stranger", "")
    attempts = {
        "without a session": (stranger, ada.id, {}),
        "to another user's address": (ada, bob.id, {}),
        "from a foreign page": (ada, ada.id, {"Origin": "https://elsewhere.example"}),
        "with a forged token": (stranger, ada.id, {"Authorization": "Bearer not.a.token"}),
    }
    for what, (client, user_id, headers) in attempts.items():
        with pytest.raises(InvalidStatus) as refused:
            scenario.connect(client, user_id, **headers)
        response = refused.value.response
        scenario.note(f"a socket {what}", [response.status_code, json.loads(response.body or b"{}").get("code")])
    socket = Socket(ada, scenario.connect(ada, Origin=scenario.release.url))
    socket.send({"type": "ping", "payload": {"sent_at_ms": 4}})
    socket.receive()
    keep(scenario, "handshakes")


def test_both_releases_sent_the_same() -> None:
    expected = json.loads(TRANSCRIPT.read_text()).keys()
    if any(_records[name].keys() != expected for name in RELEASES):
        pytest.skip("compares what the other tests of this file recorded: run all of them")
    today, baseline = (_records[name] for name in RELEASES)
    assert today == baseline
