"""Checks that the user of a session still exists in the database."""

from __future__ import annotations

import dataclasses

import psycopg
from django.db import connection
from psycopg_pool import ConnectionPool, PoolTimeout
from servicekit.accounts import ACCOUNT_QUERY, Account, Accounts
from servicekit.tokens import Identity

from data_processor.database.base import outage
from data_processor.database.watchdog import watchdog
from data_processor.web.errors import UnauthorizedError

_WAIT_S = 0.8
"""Longest wait for a connection, and again for the answer. Caddy waits longer than both for `/auth/operator`."""

_accounts = Accounts()


def confirm(identity: Identity) -> Identity:
    """Return a session's identity by the database's current or recent state. Raises UnauthorizedError.

    While the database does not answer, its last answer holds, or the token alone: the request's own statement says
    what is wrong, and the recorder has to open most of all when the database is away.
    """
    account = _accounts.known(identity.user_id) or _ask(identity.user_id)
    if not account.exists:
        raise UnauthorizedError("this session's user no longer exists: log in again")
    if identity.is_operator and not account.is_operator:
        return dataclasses.replace(identity, is_operator=False)
    return identity


def _ask(user_id: int) -> Account:
    if outage.expected:
        return _accounts.unanswered(user_id)
    pool: ConnectionPool[psycopg.Connection[tuple[bool]]] = connection.pool  # type: ignore[attr-defined]
    try:
        # Not Django's cursor, which may wait as long as a whole request.
        with pool.connection(_WAIT_S) as conn, watchdog().limit(conn, _WAIT_S):
            row = conn.execute(ACCOUNT_QUERY, {"user_id": user_id}).fetchone()
    except (psycopg.Error, PoolTimeout):
        return _accounts.unanswered(user_id)
    return _accounts.answered(user_id, Account(exists=row is not None, is_operator=bool(row and row[0])))
