"""Session tokens: issued by the backend, verified by every service with the same key."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import Any

import jwt

_ALGORITHM = "HS256"
_PARTY = "plumbline"
_DEPLOYMENT = "plumbline-deployment"
_CLAIMS = ["exp", "iat", "sub", "aud", "iss"]
_OLDER = "the session was opened by an older release: log in again"


class TokenError(Exception):
    """An invalid token. `suspicious` is set if no honest client could have sent it."""

    def __init__(self, reason: str, *, suspicious: bool) -> None:
        super().__init__(reason)
        self.suspicious = suspicious


class ForeignKeyError(TokenError):
    """A token that was signed with another key."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The user of a valid token."""

    user_id: int
    username: str
    is_operator: bool = False


def new_session_id() -> str:
    """Return the id of a new session."""
    return str(uuid.uuid4())


def issue(secret: str, identity: Identity, session_id: str, ttl_s: int) -> str:
    """Return a signed token for a session of `identity` that expires in `ttl_s` seconds."""
    claims = {"sub": str(identity.user_id), "name": identity.username, "op": identity.is_operator, "jti": session_id}
    return _sign(secret, claims, _PARTY, ttl_s)


def issue_for_deployment(secret: str, ttl_s: int) -> str:
    """Return a signed token with which the deployment itself, not a user, reads the recorder."""
    return _sign(secret, {"sub": "deployment"}, _DEPLOYMENT, ttl_s)


def _sign(secret: str, claims: dict[str, Any], audience: str, ttl_s: int) -> str:
    now = int(time.time())
    return jwt.encode(
        {"iss": _PARTY, "aud": audience, **claims, "iat": now, "exp": now + ttl_s}, secret, algorithm=_ALGORITHM
    )


@dataclass(frozen=True, slots=True)
class Verified:
    """A verified token: its user, its session, and when it expires (seconds since the epoch)."""

    identity: Identity
    session_id: str
    expires_at: int


def verify(secret: str, token: str) -> Verified:
    """Return a token's content, or raise TokenError with a reason that may be shown to the client."""
    try:
        claims = _read(secret, token, _PARTY)
        user_id = int(claims["sub"])
        expires_at = int(claims["exp"])
        if not 0 < user_id < 2**63:
            raise ValueError
        if "jti" not in claims:
            raise TokenError(_OLDER, suspicious=False)
        session_id = str(uuid.UUID(claims["jti"]))
    except jwt.ExpiredSignatureError:
        raise TokenError("the session has expired: log in again", suspicious=False) from None
    except jwt.InvalidSignatureError:
        raise ForeignKeyError("the session token was not signed by this stack: log in again", suspicious=True) from None
    except (jwt.InvalidTokenError, ValueError, TypeError, AttributeError, OverflowError):
        raise TokenError("the session token is malformed: log in again", suspicious=True) from None
    return Verified(Identity(user_id, str(claims.get("name", "")), claims.get("op") is True), session_id, expires_at)


def is_of_deployment(secret: str, token: str) -> bool:
    """Return whether the token is a valid one of `issue_for_deployment`."""
    try:
        _read(secret, token, _DEPLOYMENT)
    except (jwt.InvalidTokenError, ValueError, TypeError, OverflowError):
        return False
    return True


def _read(secret: str, token: str, audience: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(
        token,
        secret,
        algorithms=[_ALGORITHM],
        audience=audience,
        issuer=_PARTY,
        # The time of issue proves nothing, and the clocks of two hosts always differ a little.
        options={"require": _CLAIMS, "verify_iat": False},
    )
    return claims


def token_from(authorization: str | None, cookie: str | None) -> str | None:
    """Return the token of a request: the bearer token if there is an Authorization header, else the session cookie."""
    if authorization:
        scheme, _, token = authorization.partition(" ")
        return token.strip() if scheme.lower() == "bearer" and token.strip() else None
    return cookie or None
