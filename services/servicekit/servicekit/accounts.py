"""Caches whether a session's user still exists: each user is read from the database at most once per `FRESH_S`."""

from __future__ import annotations

import time
from dataclasses import dataclass

FRESH_S = 2.0
"""Lifetime of a cached answer. A deleted user's token is accepted for at most this long."""
_REMEMBERED = 4096

ACCOUNT_QUERY = "SELECT is_operator FROM users WHERE id = %(user_id)s"
"""No row means that there is no such user."""


@dataclass(frozen=True, slots=True)
class Account:
    """The state of a session's user in the database."""

    exists: bool
    is_operator: bool


_TRUSTED = Account(exists=True, is_operator=True)
"""Used while the database has never answered for a user: the token alone decides."""


@dataclass(slots=True)
class _Seen:
    account: Account
    until: float


class Accounts:
    """The cached users of one process."""

    def __init__(self, fresh_s: float = FRESH_S) -> None:
        self._fresh_s = fresh_s
        self._seen: dict[int, _Seen] = {}

    def known(self, user_id: int) -> Account | None:
        """Return the cached account. None: query the database, then call `answered` or `unanswered`."""
        seen = self._seen.get(user_id)
        now = time.monotonic()
        if seen is None:
            return None
        if seen.until > now:
            return seen.account
        # One request queries the database; concurrent ones use the cached account.
        seen.until = now + self._fresh_s
        return None

    def answered(self, user_id: int, account: Account) -> Account:
        """Remember the database's answer and return it."""
        if len(self._seen) >= _REMEMBERED and user_id not in self._seen:
            self._seen.clear()
        self._seen[user_id] = _Seen(account, time.monotonic() + self._fresh_s)
        return account

    def unanswered(self, user_id: int) -> Account:
        """Return the account to use while the database does not answer: its last answer, else the token's claims."""
        seen = self._seen.get(user_id)
        return self.answered(user_id, seen.account if seen else _TRUSTED)

    def forget(self, user_id: int) -> None:
        """Query the database again at the user's next request."""
        self._seen.pop(user_id, None)
