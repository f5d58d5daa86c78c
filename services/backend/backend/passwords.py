"""Password hashing: argon2id, in two threads of its own, so that the event loop never waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, TypeVarTuple

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from backend.errors import Overloaded

Args = TypeVarTuple("Args")
Result = TypeVar("Result")

_THREADS = 2
_QUEUE = 64
"""About a second of hashing: whoever comes later is better told to come back."""

# OWASP's recommendation for argon2id: 19 MiB, 2 passes, 1 lane.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_NOBODY = _HASHER.hash("nobody's password")
"""Verified against where there is no such user, so that the answer takes as long."""


def hash_password(password: str) -> str:
    """Return the argon2id hash of `password`; takes about 20 ms of one core."""
    return _HASHER.hash(password)


class Passwords:
    """Hashes and verifies off the event loop."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="argon2")
        self._waiting = 0

    async def hash(self, password: str) -> str:
        """Return the hash of `password`. Raises Overloaded when too many are waiting."""
        return await self._run(hash_password, password)

    async def matches(self, password_hash: str | None, password: str) -> bool:
        """Say whether `password` is the one behind `password_hash` (None: no such user). Raises Overloaded."""
        return await self._run(_verify, password_hash, password)

    def close(self) -> None:
        """Stop the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _run(self, work: Callable[[*Args], Result], *args: *Args) -> Result:
        if self._waiting >= _QUEUE:
            raise Overloaded
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work, *args)
        finally:
            self._waiting -= 1


def _verify(password_hash: str | None, password: str) -> bool:
    try:
        return _HASHER.verify(password_hash or _NOBODY, password) and password_hash is not None
    except (VerificationError, InvalidHashError):
        return False
