"""Whether a session's user still exists: read from the database at most every `FRESH_S`, remembered in between."""

from __future__ import annotations

import time
from dataclasses import dataclass

FRESH_S = 2.0
"""How long an answer holds. A deleted user's token opens nothing after that."""
_REMEMBERED = 4096

ASK = "SELECT is_operator FROM users WHERE id = %(user_id)s"
"""No row means that there is no such user."""


@dataclass(frozen=True, slots=True)
class Account:
    """What the database says about a session's user."""

    exists: bool
    is_operator: bool


_TRUSTED = Account(exists=True, is_operator=True)
"""Where the database has never answered: the token alone decides."""


@dataclass(slots=True)
class _Seen:
    account: Account
    until: float


class Accounts:
    """What one process knows of its users."""

    def __init__(self, fresh_s: float = FRESH_S) -> None:
        self._fresh_s = fresh_s
        self._seen: dict[int, _Seen] = {}

    def known(self, user_id: int) -> Account | None:
        """Return what is known of a user, or None: then ask, and report with `answered` or `unanswered`."""
        seen = self._seen.get(user_id)
        now = time.monotonic()
        if seen is None:
            return None
        if seen.until > now:
            return seen.account
        # One request asks; those beside it go on with what was known.
        seen.until = now + self._fresh_s
        return None

    def answered(self, user_id: int, account: Account) -> Account:
        """Remember the database's answer and return it."""
        if len(self._seen) >= _REMEMBERED and user_id not in self._seen:
            self._seen.clear()
        self._seen[user_id] = _Seen(account, time.monotonic() + self._fresh_s)
        return account

    def unanswered(self, user_id: int) -> Account:
        """Return what holds while the database does not answer: its last answer, or else what the token says."""
        seen = self._seen.get(user_id)
        return self.answered(user_id, seen.account if seen else _TRUSTED)

    def forget(self, user_id: int) -> None:
        """Ask the database again at the user's next request."""
        self._seen.pop(user_id, None)
