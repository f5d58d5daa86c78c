"""Password hashing (argon2id) and strength checks, in threads of their own."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, TypeVarTuple

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from servicekit import texts

from backend.errors import Overloaded
from backend.password_rules import weakness

Args = TypeVarTuple("Args")
Result = TypeVar("Result")

_THREADS = 2
_MAX_WAITING = 256
_MAX_WAIT_S = 5.0

# OWASP's recommendation for argon2id: 19 MiB, 2 passes, 1 lane.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_DUMMY_HASH = _HASHER.hash("a dummy password")
"""Verified if there is no such user, so that the answer takes equally long."""


def hash_password(password: str) -> str:
    """Return the argon2id hash of `password` in NFC; takes about 20 ms of one core."""
    return _HASHER.hash(texts.nfc(password))


class FairSemaphore:
    """A semaphore with `running` slots that serves lanes (such as client addresses) round-robin.

    At most `max_waiting` callers wait, each for at most `max_wait_s`. When that many are waiting, the newest caller of
    the longest lane is refused in favour of a shorter lane.
    """

    def __init__(self, running: int, max_waiting: int, max_wait_s: float) -> None:
        self._free = running
        self._max_waiting = max_waiting
        self._max_wait_s = max_wait_s
        self._waiting = 0
        self._lanes: OrderedDict[Hashable, deque[asyncio.Future[None]]] = OrderedDict()

    async def acquire(self, lane: Hashable) -> None:
        """Wait for a slot; `release` frees it. Raises Overloaded."""
        if self._free > 0:
            self._free -= 1
            return
        if self._waiting >= self._max_waiting:
            self._make_room(lane)
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lanes.setdefault(lane, deque()).append(waiter)
        self._waiting += 1
        try:
            async with asyncio.timeout(self._max_wait_s):
                await waiter
        except BaseException as error:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self.release()
            else:
                self._remove(lane, waiter)
            if isinstance(error, TimeoutError):
                raise Overloaded from None
            raise

    def release(self) -> None:
        """Free a slot for the next lane."""
        while self._lanes:
            lane, waiters = next(iter(self._lanes.items()))
            waiter = waiters.popleft()
            self._waiting -= 1
            if waiters:
                self._lanes.move_to_end(lane)
            else:
                del self._lanes[lane]
            if not waiter.done():
                waiter.set_result(None)
                return
        self._free += 1

    def _make_room(self, lane: Hashable) -> None:
        longest = max(self._lanes, key=lambda name: len(self._lanes[name]))
        if len(self._lanes[longest]) <= len(self._lanes.get(lane, ())) + 1:
            raise Overloaded
        waiter = self._lanes[longest][-1]
        self._remove(longest, waiter)
        if not waiter.done():
            waiter.set_exception(Overloaded())

    def _remove(self, lane: Hashable, waiter: asyncio.Future[None]) -> None:
        waiters = self._lanes.get(lane)
        if waiters is None or waiter not in waiters:
            return
        waiters.remove(waiter)
        self._waiting -= 1
        if not waiters:
            del self._lanes[lane]


class _FairThreadPool:
    """A thread pool for one kind of work, fair between lanes."""

    def __init__(self, name: str, number: int) -> None:
        self._pool = ThreadPoolExecutor(number, thread_name_prefix=name)
        self._slots = FairSemaphore(number, _MAX_WAITING, _MAX_WAIT_S)

    async def run(self, lane: Hashable, work: Callable[[*Args], Result], *args: *Args) -> Result:
        await self._slots.acquire(lane)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work, *args)
        finally:
            self._slots.release()

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


class Passwords:
    """Hashes, verifies and checks passwords off the event loop, fairly between lanes."""

    def __init__(self) -> None:
        self._hashing = _FairThreadPool("argon2", _THREADS)
        # A pool of its own: checking some passwords takes many times longer than hashing, and logins must not wait.
        # One thread: zxcvbn keeps the user's own words in a global table.
        self._strength = _FairThreadPool("zxcvbn", 1)

    async def weakness(self, password: str, username: str, display_name: str, lane: Hashable) -> str | None:
        """Return why this user's `password` is too easy to guess, or None. Raises Overloaded."""
        return await self._strength.run(lane, weakness, password, username, display_name)

    async def hash(self, password: str, lane: Hashable) -> str:
        """Return the hash of `password`. Raises Overloaded when too many are waiting."""
        return await self._hashing.run(lane, hash_password, password)

    async def matches(self, password_hash: str | None, password: str, lane: Hashable) -> bool:
        """Return whether `password` matches `password_hash` (None: no such user). Raises Overloaded."""
        return await self._hashing.run(lane, verify_password, password_hash, password)

    def close(self) -> None:
        """Stop the threads."""
        self._hashing.close()
        self._strength.close()


def verify_password(password_hash: str | None, password: str) -> bool:
    """Return whether `password` matches `password_hash`. Takes equally long if there is no hash."""
    # Old hashes are of the password as typed, not normalised.
    for form in dict.fromkeys((texts.nfc(password), password)):
        try:
            return _HASHER.verify(password_hash or _DUMMY_HASH, form) and password_hash is not None
        except (VerificationError, InvalidHashError):
            continue
    return False
