"""A client of the stack: a user with an account, HTTP calls and WebSockets."""

from __future__ import annotations

import json
import secrets
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from plumbline import net
from plumbline.errors import NotGivenError
from plumbline.recorder import operator_session
from plumbline.stack import Stack
from plumbline.verification import waiting
from plumbline.verification.checks import contract, evidence
from plumbline.verification.checks.created import PREFIX, Run

TIMEOUT_S = 30.0
"""Time for one answer: a busy machine takes seconds, and a request that hangs is found after this."""

_SHOWN = 5
"""Frames in a message."""
_CHANNELS, _DIRECT = "/channels/", "/channels/dm/"
_NAMED = (_CHANNELS, "/data-processor/documents/", "/data-processor/templates/")


class Answer:
    """A response: `status`, `headers`, `body` (bytes) and `json` (None if the body is not JSON)."""

    def __init__(self, response: requests.Response) -> None:
        self.url = response.url
        self.status = response.status_code
        self.headers = response.headers
        self.body = response.content
        self.cookies = response.cookies
        try:
            self.json: Any = response.json() if response.content else None
        except ValueError:
            self.json = None
        self._call = f"{response.request.method} {response.url}"
        evidence.count("answers", str(self.status))

    @property
    def request_id(self) -> str:
        """The id that Caddy gave the request."""
        return self.headers["X-Request-Id"]

    def expect(self, status: int) -> Any:
        """Return the JSON body; fail and show the answer if it has another status."""
        if self.status != status:  # an assert would add its own values to the message
            raise AssertionError(f"{self._call}: expected {status}, got {self.status}: {self.body[:500]!r}")
        if self.json is None and self.body not in (b"", b"null") and "json" in self.headers.get("Content-Type", ""):
            raise AssertionError(f"{self._call}: {status} with JSON that cannot be read: {self.body[:500]!r}")
        return self.json

    def expect_problem(self, status: int) -> dict[str, Any]:
        """Return the problem document; fail if its status or shape is wrong, or if it shows a traceback."""
        body = self.expect(status)
        assert self.headers["Content-Type"].startswith("application/problem+json"), self.headers["Content-Type"]
        assert {"type", "title", "status", "code", "detail", "request_id"} <= body.keys(), body
        assert body["code"] in contract.CODES, body
        assert body["status"] == status
        assert body["type"] == "about:blank", body
        assert body["title"].istitle(), f"the title of a problem document is the phrase of its status: {body}"
        assert body["detail"], "a problem document needs a detail"
        assert body["request_id"] == self.request_id
        assert b"Traceback" not in self.body
        return dict(body)


class User:
    """A registered user with a session. `run` records what it creates, and deletes it later."""

    def __init__(self, stack: Stack, run: Run, *, display_name: str | None = None, password: str = "") -> None:
        self.base_url = stack.base_url
        self._stack = stack
        self._run = run
        self.username = run.new_name()
        self.password = password or secrets.token_urlsafe(12)
        self.http = net.direct_session()
        # Calls use the bearer token only; the cookie has tests of its own.
        self.http.cookies.set_policy(_NoCookies())
        run.record_account(self.username, self.password)
        self.registration = self.register(self.username, self.password, display_name)
        self.registered: dict[str, Any] = self.registration.expect(201)
        self.id: int = self.registered["id"]
        self.token: str = self.login().expect(200)["access_token"]
        self.http.headers["Authorization"] = f"Bearer {self.token}"

    def register(self, username: str, password: str, display_name: str | None = None) -> Answer:
        """Register, with an invite if one is needed. Raises NotGivenError if registration is closed."""
        account = {"username": username, "password": password, "display_name": display_name}
        answer = self.post("/auth/register", account)
        match answer.json:
            case {"code": "registration_closed"}:
                raise NotGivenError("needs to register, and registration is closed on this stack")
            case {"code": "invite_needed"}:
                with operator_session(self._stack) as operator:
                    invite = Answer(operator.post(f"{self.base_url}/auth/invites", timeout=TIMEOUT_S)).expect(201)
                    answer = self.post("/auth/register", account | {"invite": invite["code"]})
                    operator.delete(f"{self.base_url}/auth/invites/{invite['id']}", timeout=TIMEOUT_S)
        return answer

    def remember(self, password: str) -> None:
        """Remember that the account has a new password."""
        self.password = password
        self._run.record_password(self.username, password)

    def login(self) -> Answer:
        """Log in with the account's password."""
        return self.call("POST", "/auth/login", data={"username": self.username, "password": self.password})

    def call(self, method: str, path: str, **arguments: Any) -> Answer:
        """Make one HTTP call."""
        answer = Answer(self.http.request(method, self.base_url + path, timeout=TIMEOUT_S, **arguments))
        if method == "POST" and answer.status == 201:
            if path == _CHANNELS or path.startswith(_DIRECT):
                self._run.record_channel(self.username, answer.json["id"])
            if path in _NAMED:
                name = answer.json.get("name") or answer.json["filename"]
                assert name.lstrip("#").startswith(PREFIX), (
                    f"names that checks create must begin with {PREFIX}, not {name!r}"
                )
        return answer

    def get(self, path: str, **parameters: Any) -> Answer:
        """GET with query parameters."""
        return self.call("GET", path, params=parameters)

    def post(self, path: str, document: Any = None) -> Answer:
        """POST a JSON document."""
        return self.call("POST", path, json=document)

    def put(self, path: str, document: Any) -> Answer:
        """PUT a JSON document."""
        return self.call("PUT", path, json=document)

    def patch(self, path: str, document: Any) -> Answer:
        """PATCH with a JSON document."""
        return self.call("PATCH", path, json=document)

    def delete(self, path: str) -> Answer:
        """DELETE."""
        return self.call("DELETE", path)

    def upload(self, channel_id: int, name: str, content: bytes, declared: str = "application/octet-stream") -> Answer:
        """Upload a document to a channel."""
        return self.call(
            "POST",
            "/data-processor/documents/",
            files={"file": (name, content, declared)},
            data={"channel_id": str(channel_id)},
        )

    def create_channel(self, kind: str = "public") -> dict[str, Any]:
        """Create a channel with a new name and return it."""
        name = f"{'#' if kind == 'public' else ''}{self._run.new_name()}"
        channel: dict[str, Any] = self.post("/channels/", {"name": name, "type": kind}).expect(201)
        return channel

    def pages(self, path: str, **parameters: Any) -> Iterator[list[dict[str, Any]]]:
        """Yield every page of a list, following `next`."""
        while True:
            body = self.get(path, **parameters).expect(200)
            yield body["items"]
            if body["next"] is None:
                return
            assert body["next"] != parameters.get("before"), (
                f"{path}: the page before {body['next']} is followed by itself, so the list never ends"
            )
            parameters["before"] = body["next"]

    @contextmanager
    def socket(self, user_id: int | None = None, **arguments: Any) -> Iterator[Socket]:
        """Open this user's live socket, or the one of `user_id`."""
        url = f"{self.base_url.replace('http', 'ws', 1)}/ws/{self.id if user_id is None else user_id}"
        arguments.setdefault("additional_headers", {"Authorization": f"Bearer {self.token}"})
        with connect(url, open_timeout=TIMEOUT_S, proxy=None, ssl=tls_of(url), **arguments) as connection:
            yield Socket(connection)


def tls_of(url: str) -> ssl.SSLContext | None:
    """Return how to open the WebSocket of a stack with HTTPS.

    TLS 1.2: in 1.3 the server sends tickets after the handshake, and the client may close the connection if one thread
    reads them while another sends the request. The library has a thread for each.
    """
    if not url.startswith("wss:"):
        return None
    context = ssl.create_default_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


class Socket:
    """A live socket that records received frames."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self.received: list[dict[str, Any]] = []

    def send(self, frame: Any) -> None:
        """Send a frame: strings and bytes unchanged, anything else as JSON."""
        self._connection.send(frame if isinstance(frame, str | bytes) else json.dumps(frame))

    def wait_for(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Return the next frame of type `kind` with these fields; fail if no frame comes for a while."""
        end = time.monotonic() + 5 * TIMEOUT_S
        while True:
            try:
                with waiting.on(f"a frame {kind!r}"):
                    frame = self._receive(min(TIMEOUT_S, end - time.monotonic()))
            except TimeoutError:
                last = f"; the last ones: {self.received[-_SHOWN:]}" if self.received else ""
                raise AssertionError(
                    f"backend: no {kind!r} frame with {fields} arrived within {TIMEOUT_S:g} s. It sent "
                    f"{len(self.received)} other frames{last}. Next: ./deploy-local.sh logs --component backend"
                ) from None
            if frame.get("type") == kind and all(frame.get(name) == value for name, value in fields.items()):
                return frame

    def closed_with(self, timeout_s: float = 2 * TIMEOUT_S) -> int | None:
        """Return the code with which the stack closes the socket; fail if it stays open."""
        deadline = time.monotonic() + timeout_s
        try:
            while True:
                self._receive(deadline - time.monotonic())
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else None
        except TimeoutError:
            raise AssertionError(
                f"backend: did not close the socket within {timeout_s:g} s, which it must; received: {self.received}"
            ) from None

    def _receive(self, timeout_s: float) -> dict[str, Any]:
        frame: dict[str, Any] = json.loads(self._connection.recv(timeout=max(0.0, timeout_s)))
        self.received.append(frame)
        evidence.count("frames", str(frame.get("type")))
        return frame

    def drain(self) -> list[dict[str, Any]]:
        """Return all frames received so far. A ping's round trip ensures that earlier frames have arrived."""
        mark = secrets.randbits(40)
        self.send({"type": "ping", "payload": {"sent_at_ms": mark}})
        self.wait_for("pong", payload={"sent_at_ms": mark})
        return self.received


class _NoCookies(DefaultCookiePolicy):
    """Stores no cookies."""

    def set_ok(self, cookie: object, request: object) -> bool:
        del cookie, request
        return False
