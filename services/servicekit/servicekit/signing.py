"""The keys of session tokens: one signs, and during a rotation a second one is accepted."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from servicekit.rotating import RotatingSecret, Value
from servicekit.tokens import ForeignKeyError, Verified, is_of_deployment, verify

_MAX_VERIFIED = 4096


class SigningKeys:
    """Signs with the current key, and verifies with every accepted one."""

    def __init__(self, file: Path) -> None:
        """Read the keys. Raises SecretError if the file is unusable."""
        self._secret = RotatingSecret(file)
        # Cache of verified signatures: verifying one costs as much as a small query.
        self._verified: dict[str, Verified] = {}
        self._verified_by = self._secret.accepted()

    def current(self) -> str:
        """Return the key that signs."""
        return self._secret.current()

    def accepted(self) -> tuple[str, ...]:
        """Return all keys that are accepted."""
        return tuple(key.text for key in self._secret.accepted())

    def verify(self, token: str) -> Verified:
        """Return a token's content, or raise TokenError with a reason that may be shown to the client."""
        known = self._cache(self._secret.recent()).get(token)
        if known is not None and known.expires_at > time.time():
            return known
        keys = self._secret.accepted()
        cache = self._cache(keys)
        verified = _verify(keys, token)
        if len(cache) >= _MAX_VERIFIED:
            cache.clear()
        cache[token] = verified
        return verified

    def _cache(self, keys: tuple[Value, ...]) -> dict[str, Verified]:
        if keys != self._verified_by:
            self._verified, self._verified_by = {}, keys
        return self._verified

    def is_of_deployment(self, token: str) -> bool:
        """Return whether the deployment itself signed this token."""
        return any(is_of_deployment(key, token) for key in self.accepted())


def _verify(keys: tuple[Value, ...], token: str) -> Verified:
    *others, last = keys
    for key in others:
        try:
            return _until(verify(key.text, token), key)
        except ForeignKeyError:
            continue
    return _until(verify(last.text, token), last)


def _until(verified: Verified, key: Value) -> Verified:
    """Let the session end with its key at the latest."""
    return verified if key.until is None else replace(verified, expires_at=min(verified.expires_at, int(key.until)))
