"""Password hashing (argon2id) in threads of its own, so that the event loop never waits for it."""

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
_PLACES = 256
_PATIENCE_S = 5.0

# OWASP's recommendation for argon2id: 19 MiB, 2 passes, 1 lane.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_NOBODY = _HASHER.hash("nobody's password")
"""Verified against where there is no such user, so that the answer takes as long."""


def hash_password(password: str) -> str:
    """Return the argon2id hash of `password` in NFC; takes about 20 ms of one core."""
    return _HASHER.hash(texts.nfc(password))


class Turns:
    """Lets `running` pieces of work run at once, and lanes take turns for what waits: one lane's crowd delays itself.

    At most `places` wait, and none longer than `patience_s`. When all places are taken, the newest of the longest lane
    gives way to a shorter lane.
    """

    def __init__(self, running: int, places: int, patience_s: float) -> None:
        self._free = running
        self._places = places
        self._patience_s = patience_s
        self._waiting = 0
        self._lanes: OrderedDict[Hashable, deque[asyncio.Future[None]]] = OrderedDict()

    async def wait(self, lane: Hashable) -> None:
        """Return when it is this caller's turn; `done` ends the turn. Raises Overloaded."""
        if self._free > 0:
            self._free -= 1
            return
        if self._waiting >= self._places:
            self._make_room(lane)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lanes.setdefault(lane, deque()).append(turn)
        self._waiting += 1
        try:
            async with asyncio.timeout(self._patience_s):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.done()
            else:
                self._remove(lane, turn)
            if isinstance(error, TimeoutError):
                raise Overloaded from None
            raise

    def done(self) -> None:
        """End a turn: the next lane has one."""
        while self._lanes:
            lane, turns = next(iter(self._lanes.items()))
            turn = turns.popleft()
            self._waiting -= 1
            if turns:
                self._lanes.move_to_end(lane)
            else:
                del self._lanes[lane]
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    def _make_room(self, lane: Hashable) -> None:
        longest = max(self._lanes, key=lambda name: len(self._lanes[name]))
        if len(self._lanes[longest]) <= len(self._lanes.get(lane, ())) + 1:
            raise Overloaded
        turn = self._lanes[longest][-1]
        self._remove(longest, turn)
        if not turn.done():
            turn.set_exception(Overloaded())

    def _remove(self, lane: Hashable, turn: asyncio.Future[None]) -> None:
        turns = self._lanes.get(lane)
        if turns is None or turn not in turns:
            return
        turns.remove(turn)
        self._waiting -= 1
        if not turns:
            del self._lanes[lane]


class _Threads:
    """Threads for one kind of work, at which lanes take turns."""

    def __init__(self, name: str, number: int) -> None:
        self._pool = ThreadPoolExecutor(number, thread_name_prefix=name)
        self._turns = Turns(number, _PLACES, _PATIENCE_S)

    async def run(self, lane: Hashable, work: Callable[[*Args], Result], *args: *Args) -> Result:
        await self._turns.wait(lane)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work, *args)
        finally:
            self._turns.done()

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


class Passwords:
    """Hashes, verifies and judges off the event loop, fairly between lanes."""

    def __init__(self) -> None:
        self._hashing = _Threads("argon2", _THREADS)
        # Apart, because some passwords take many times longer to judge than to hash: logins must not wait for that.
        # One thread, because the library keeps a user's own words in a table of the whole process.
        self._judging = _Threads("zxcvbn", 1)

    async def weakness(self, password: str, username: str, display_name: str, lane: Hashable) -> str | None:
        """Return why this user's `password` is too easy to guess, or None. Raises Overloaded."""
        return await self._judging.run(lane, weakness, password, username, display_name)

    async def hash(self, password: str, lane: Hashable) -> str:
        """Return the hash of `password`. Raises Overloaded when too many are waiting."""
        return await self._hashing.run(lane, hash_password, password)

    async def matches(self, password_hash: str | None, password: str, lane: Hashable) -> bool:
        """Say whether `password` is the one behind `password_hash` (None: no such user). Raises Overloaded."""
        return await self._hashing.run(lane, verify_password, password_hash, password)

    def close(self) -> None:
        """Stop the threads."""
        self._hashing.close()
        self._judging.close()


def verify_password(password_hash: str | None, password: str) -> bool:
    """Say whether `password` is the one behind `password_hash`; takes as long where there is none."""
    # Hashes that are older than the normal form are of the password as it was typed.
    for form in dict.fromkeys((texts.nfc(password), password)):
        try:
            return _HASHER.verify(password_hash or _NOBODY, form) and password_hash is not None
        except (VerificationError, InvalidHashError):
            continue
    return False
