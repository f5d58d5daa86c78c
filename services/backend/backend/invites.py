"""Invite codes: random, shown once, stored as a hash."""

from __future__ import annotations

import hashlib
import secrets

CODE_MAX = 128


def new_code() -> str:
    """Return a code that cannot be guessed."""
    return secrets.token_urlsafe(18)


def code_hash(code: str) -> bytes:
    """Return the hash that is stored. A random code needs no slow hash."""
    return hashlib.sha256(code.strip().encode()).digest()
