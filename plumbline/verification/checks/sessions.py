"""Sessions for checks of access: an operator's, and invalid tokens."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jwt
import requests

from plumbline import users
from plumbline.errors import NotGivenError
from plumbline.recorder import operator_session
from plumbline.stack import Stack
from plumbline.targets.base import Target
from plumbline.verification.checks.client import TIMEOUT_S, Answer, User
from plumbline.verification.throwaway import wait_for_value

_CALLS = 20
"""So many calls reach every process of a service."""
_CACHED_S = 15.0
"""Bound on how long processes may still accept an ended session; the contract says five seconds."""
PATHS = {"backend": "/auth/me", "data-processor": "/data-processor/templates/", "log-sink": "/logs/entries"}
"""A call of each service that needs a session."""


class Operator:
    """The stack's operator. `close` deletes the channels and invites that its calls created."""

    def __init__(self, stack: Stack) -> None:
        self._base_url = stack.base_url
        self._http = operator_session(stack)
        self.id: int = self.call("GET", "/auth/me").expect(200)["id"]
        self._created: list[str] = []

    def call(self, method: str, path: str, **arguments: Any) -> Answer:
        """Make one HTTP call."""
        answer = Answer(self._http.request(method, self._base_url + path, timeout=TIMEOUT_S, **arguments))
        if method == "POST" and answer.status == 201:
            collection = "/channels/" if path.startswith("/channels/dm/") else f"{path.rstrip('/')}/"
            if collection in ("/channels/", "/auth/invites/"):
                self._created.append(f"{collection}{answer.json['id']}")
        return answer

    def open(self, path: str, **arguments: Any) -> requests.Response:
        """Begin to read an answer without an end."""
        return self._http.get(self._base_url + path, timeout=TIMEOUT_S, stream=True, **arguments)

    def close(self) -> None:
        """Delete what the operator created."""
        for path in self._created:
            assert self.call("DELETE", path).status in (204, 404), path
        self._http.close()


def forged(token: str) -> str:
    """Return the token with the signature of another key."""
    claims = jwt.decode(token, options={"verify_signature": False})
    return jwt.encode(claims, secrets.token_urlsafe(48), algorithm="HS256")


def expired(stack: Stack, token: str) -> str:
    """Return the token as it is a minute after it expired. Raises NotGivenError: see `expiring`."""
    return expiring(stack, token, -60)


def expiring(stack: Stack, token: str, seconds: int) -> str:
    """Return the token with an expiry in so many seconds. Raises NotGivenError if the signing key cannot be read."""
    key = signing_key(stack)
    claims = jwt.decode(token, options={"verify_signature": False})
    now = int(time.time())
    return jwt.encode(claims | {"iat": now - 7200, "exp": now + seconds}, key, algorithm="HS256")


def signing_key(stack: Stack) -> str:
    """Return the key that signs the stack's tokens. Raises NotGivenError if its file cannot be read."""
    key = Path(stack.home) / "secrets" / "token_secret"
    if not stack.home or not key.is_file():
        raise NotGivenError("needs the file of the stack's signing key")
    return key.read_text().strip()


def deleted(new_user: Callable[[], User]) -> str:
    """Return the token of a deleted user, after all processes refuse it."""
    user = new_user()
    assert user.call("DELETE", "/auth/me", json={"password": user.password}).status == 204
    for path in ("/auth/me", "/data-processor/templates/"):
        refused_by_all(user, path)
    return user.token


def disabled(target: Target, new_user: Callable[[], User]) -> Iterator[str]:
    """Yield the token of a user who is disabled meanwhile, after all processes refuse it."""
    user = new_user()
    users.execute(target, "disable", user.username)
    try:
        for path in PATHS.values():
            refused_by_all(user, path)
        yield user.token
    finally:
        users.execute(target, "enable", user.username)


def ended(new_user: Callable[[], User]) -> str:
    """Return a token whose session was ended by logging out, after all processes refuse it."""
    user = new_user()
    token = str(user.login().expect(200)["access_token"])
    assert user.call("POST", "/auth/logout", headers=bearer(token)).status == 204
    for path in PATHS.values():
        refused_by_all(user, path, token)
    return token


def bearer(token: str) -> dict[str, str]:
    """Return the headers of a call with this token."""
    return {"Authorization": f"Bearer {token}"}


def refused_by_all(user: User, path: str, token: str | None = None) -> None:
    """Wait until every process of a service refuses a token, by default the user's."""
    answered_by_all(user, path, 401, token)


def answered_by_all(user: User, path: str, status: int, token: str | None = None) -> None:
    """Wait until every process of a service answers a token, by default the user's, with this status."""
    headers = bearer(token or user.token)
    wait_for_value(
        lambda: {user.call("GET", path, headers=headers).status for _ in range(_CALLS)},
        lambda statuses: statuses == {status},
        f"{_CALLS} calls of {path} to be answered with {status} (statuses)",
        _CACHED_S,
    )
