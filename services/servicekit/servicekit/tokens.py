"""Session tokens: issued by the backend, verified by every service with the same key."""

from __future__ import annotations

import time
from dataclasses import dataclass

import jwt

_ALGORITHM = "HS256"
_PARTY = "plumbline"
_CLAIMS = ["exp", "iat", "sub", "aud", "iss"]


class TokenError(Exception):
    """An invalid token. `suspicious` is set if no honest client could have sent it."""

    def __init__(self, reason: str, *, suspicious: bool) -> None:
        super().__init__(reason)
        self.suspicious = suspicious


@dataclass(frozen=True, slots=True)
class Identity:
    """The user of a valid token."""

    user_id: int
    username: str
    is_operator: bool = False


def issue(secret: str, identity: Identity, ttl_s: int) -> str:
    """Return a signed token for `identity` that expires in `ttl_s` seconds."""
    now = int(time.time())
    claims = {
        "iss": _PARTY,
        "aud": _PARTY,
        "sub": str(identity.user_id),
        "name": identity.username,
        "op": identity.is_operator,
        "iat": now,
        "exp": now + ttl_s,
    }
    return jwt.encode(claims, secret, algorithm=_ALGORITHM)


@dataclass(frozen=True, slots=True)
class Verified:
    """A verified token: its user, and when it expires (seconds since the epoch)."""

    identity: Identity
    expires_at: int


def verify(secret: str, token: str) -> Verified:
    """Return a token's content, or raise TokenError with a reason that may be shown to the client."""
    try:
        claims = jwt.decode(
            token,
            secret,
            algorithms=[_ALGORITHM],
            audience=_PARTY,
            issuer=_PARTY,
            # The time of issue proves nothing, and the clocks of two hosts always differ a little.
            options={"require": _CLAIMS, "verify_iat": False},
        )
        user_id = int(claims["sub"])
        expires_at = int(claims["exp"])
        if not 0 < user_id < 2**63:
            raise ValueError
    except jwt.ExpiredSignatureError:
        raise TokenError("the session has expired: log in again", suspicious=False) from None
    except jwt.InvalidSignatureError:
        raise TokenError("the session token was not signed by this stack: log in again", suspicious=True) from None
    except (jwt.InvalidTokenError, ValueError, TypeError, OverflowError):
        raise TokenError("the session token is malformed: log in again", suspicious=True) from None
    return Verified(Identity(user_id, str(claims.get("name", "")), claims.get("op") is True), expires_at)


def token_from(authorization: str | None, cookie: str | None) -> str | None:
    """Return the token of a request: the bearer token if there is an Authorization header, else the session cookie."""
    if authorization:
        scheme, _, token = authorization.partition(" ")
        return token.strip() if scheme.lower() == "bearer" and token.strip() else None
    return cookie or None
