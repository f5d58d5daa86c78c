"""Caches whether a session may still be used: each session is read from the database at most once per `FRESH_S`."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the log-sink verifies no token, and its image has no library for that
    from servicekit.tokens import Verified

FRESH_S = 2.0
"""Lifetime of a cached answer. An ended session is accepted for at most this long."""
_REMEMBERED = 4096

SESSION_QUERY = """
    SELECT u.is_operator, u.disabled_at IS NOT NULL AS is_disabled, s.id IS NOT NULL AS is_open
    FROM users u
    LEFT JOIN sessions s ON s.id = %(session_id)s::uuid AND s.user_id = u.id AND s.version = u.session_version
    WHERE u.id = %(user_id)s
"""
"""No row means that there is no such user. See `Account.of`."""

_DELETED = "this session's user no longer exists: log in again"
_DISABLED = "this account is disabled: ask an operator"
_ENDED = "this session has ended: log in again"


@dataclass(frozen=True, slots=True)
class Account:
    """The state of a session and its user. `refusal` says why the session may not be used, empty if it may."""

    is_operator: bool
    refusal: str = ""

    @classmethod
    def of(cls, row: tuple[bool, bool, bool] | None) -> Account:
        """Return the state by a row of SESSION_QUERY."""
        if row is None:
            return cls(is_operator=False, refusal=_DELETED)
        is_operator, is_disabled, is_open = row
        return cls(is_operator, _DISABLED if is_disabled else "" if is_open else _ENDED)


_TRUSTED = Account(is_operator=True)
"""Used while the database has never answered for a session: the token alone decides."""


@dataclass(slots=True)
class _Seen:
    account: Account
    until: float


class Accounts:
    """The cached sessions of one process."""

    def __init__(self, fresh_s: float = FRESH_S) -> None:
        self._fresh_s = fresh_s
        self._seen: dict[tuple[int, str], _Seen] = {}

    def known(self, session: Verified) -> Account | None:
        """Return the cached account. None: query the database, then call `answered` or `unanswered`."""
        seen = self._seen.get(_key(session))
        now = time.monotonic()
        if seen is None:
            return None
        if seen.until > now:
            return seen.account
        # One request queries the database; concurrent ones use the cached account.
        seen.until = now + self._fresh_s
        return None

    def answered(self, session: Verified, account: Account) -> Account:
        """Remember the database's answer and return it."""
        key = _key(session)
        if len(self._seen) >= _REMEMBERED and key not in self._seen:
            self._seen.clear()
        self._seen[key] = _Seen(account, time.monotonic() + self._fresh_s)
        return account

    def unanswered(self, session: Verified) -> Account:
        """Return the account to use while the database does not answer: its last answer, else the token's claims."""
        seen = self._seen.get(_key(session))
        return self.answered(session, seen.account if seen else _TRUSTED)

    def forget(self, user_id: int) -> None:
        """Query the database again at the next request of each of the user's sessions."""
        for key in [one for one in self._seen if one[0] == user_id]:
            del self._seen[key]


def _key(session: Verified) -> tuple[int, str]:
    # With the user: a token that names another user for a session must not decide about the session's own.
    return session.identity.user_id, session.session_id
