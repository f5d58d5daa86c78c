"""Session tokens: issuing them, reading them from requests, and verifying them."""

from __future__ import annotations

import logging

from fastapi.requests import HTTPConnection
from fastapi.responses import Response
from servicekit.facts import SESSION_COOKIE
from servicekit.log.faults import client_fault
from servicekit.signing import SigningKeys
from servicekit.tokens import Identity, TokenError, Verified, issue, token_from

from backend.errors import Unauthenticated

log = logging.getLogger(__name__)


class Sessions:
    """Issues and verifies session tokens, and puts them into cookies."""

    def __init__(self, keys: SigningKeys, ttl_s: int, *, secure: bool) -> None:
        self._keys = keys
        self.ttl_s = ttl_s
        self._secure = secure

    def issue(self, identity: Identity, session_id: str) -> str:
        """Return a token for a session of `identity`."""
        return issue(self._keys.current(), identity, session_id, self.ttl_s)

    def is_of_deployment(self, connection: HTTPConnection) -> bool:
        """Return whether the deployment itself sent the request, with a token that it signed."""
        token = _token_of(connection)
        return token is not None and self._keys.is_of_deployment(token)

    def verify(self, connection: HTTPConnection) -> Verified:
        """Return the verified session of a request or handshake. Raises Unauthenticated with the reason."""
        token = _token_of(connection)
        if token is None:
            raise Unauthenticated
        try:
            return self._keys.verify(token)
        except TokenError as error:
            if error.suspicious:
                client_fault(log, "bad_token", "a session token was refused: %s", error)
            raise Unauthenticated(str(error)) from None

    def set_cookie(self, response: Response, token: str) -> None:
        """Set the session cookie: not readable by scripts, not sent with cross-site requests."""
        response.set_cookie(
            SESSION_COOKIE, token, max_age=self.ttl_s, path="/", httponly=True, samesite="lax", secure=self._secure
        )

    def clear_cookie(self, response: Response) -> None:
        """Delete the session cookie."""
        response.delete_cookie(SESSION_COOKIE, path="/", httponly=True, samesite="lax", secure=self._secure)


def _token_of(connection: HTTPConnection) -> str | None:
    return token_from(connection.headers.get("authorization"), connection.cookies.get(SESSION_COOKIE))
