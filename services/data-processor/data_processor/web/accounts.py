"""Checks that a session may still be used, in the database."""

from __future__ import annotations

import dataclasses

import psycopg
from django.db import connection
from psycopg_pool import ConnectionPool, PoolTimeout
from servicekit.accounts import SESSION_QUERY, Account, Accounts
from servicekit.tokens import Identity, Verified

from data_processor.database.base import outage
from data_processor.database.watchdog import watchdog
from data_processor.web.errors import UnauthorizedError

_WAIT_S = 0.8
"""Longest wait for a connection, and again for the answer. Caddy waits longer than both for `/auth/operator`."""

_accounts = Accounts()


def confirm(session: Verified) -> Identity:
    """Return a session's identity by the database's current or recent state. Raises UnauthorizedError.

    While the database does not answer, its last answer holds, or the token alone: the request's own statement says
    what is wrong, and the recorder has to open most of all when the database is away.
    """
    account = _accounts.known(session) or _ask(session)
    if account.refusal:
        raise UnauthorizedError(account.refusal)
    identity = session.identity
    if identity.is_operator and not account.is_operator:
        return dataclasses.replace(identity, is_operator=False)
    return identity


def _ask(session: Verified) -> Account:
    if outage.expected:
        return _accounts.unanswered(session)
    wanted = {"session_id": session.session_id, "user_id": session.identity.user_id}
    pool: ConnectionPool[psycopg.Connection[tuple[bool, bool, bool]]] = connection.pool  # type: ignore[attr-defined]
    try:
        # Not Django's cursor, which may wait as long as a whole request.
        with pool.connection(_WAIT_S) as conn, watchdog().limit(conn, _WAIT_S):
            row = conn.execute(SESSION_QUERY, wanted).fetchone()
    except (psycopg.Error, PoolTimeout):
        return _accounts.unanswered(session)
    return _accounts.answered(session, Account.of(row))
