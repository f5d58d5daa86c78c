"""Checks that a session may still be used, for requests and for open sockets."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Collection

import psycopg
from servicekit.accounts import FRESH_S, SESSION_QUERY, Account, Accounts
from servicekit.tokens import Identity, Verified

from backend.database import POOL_TIMEOUT_S, QUERY_TIMEOUT_S, Database
from backend.errors import ApiError, Unauthenticated
from backend.live.hub import SESSION_ENDED, Hub
from backend.queries import sessions as sql

log = logging.getLogger(__name__)


class Users:
    """Cache of this process for the state of sessions and the operator rights of their users."""

    def __init__(self, database: Database, hub: Hub) -> None:
        self._database = database
        self._hub = hub
        self._accounts = Accounts()

    async def confirm(
        self,
        session: Verified,
        wait_s: float = POOL_TIMEOUT_S,
        timeout_s: float = QUERY_TIMEOUT_S,
        *,
        refresh: bool = False,
    ) -> Identity:
        """Return a session's identity as the database has it, at most `FRESH_S` old; `refresh` asks the database now.

        While the database does not answer, its last answer is used, or the token alone. Raises Unauthenticated.
        """
        account = None if refresh else self._accounts.known(session)
        if account is None:
            account = await self._ask(session, wait_s, timeout_s)
        if account.refusal:
            raise Unauthenticated(account.refusal)
        identity = session.identity
        if identity.is_operator and not account.is_operator:
            return dataclasses.replace(identity, is_operator=False)
        return identity

    def forget(self, user_id: int) -> None:
        """Ask the database again at the next request of each of the user's sessions."""
        self._accounts.forget(user_id)

    async def sessions_changed(self, user_ids: Collection[int]) -> None:
        """Check the sessions of these users now: close the sockets of those that have ended."""
        for user_id in user_ids:
            self.forget(user_id)
        await self._close_ended(self._hub.sessions(user_ids))

    async def watch_sockets(self) -> None:
        """Close the sockets of ended sessions, until cancelled. An event may be lost, or its sender have no Redis."""
        while True:
            await asyncio.sleep(FRESH_S)
            await self._close_ended(self._hub.sessions())

    async def _close_ended(self, session_ids: set[str]) -> None:
        if not session_ids:
            return
        try:
            rows = await self._database.fetch_all(sql.OPEN_AMONG, {"session_ids": list(session_ids)})
        except (ApiError, psycopg.Error):
            return
        except Exception:
            log.exception("could not check whether the sessions of open sockets have ended")
            return
        self._hub.close_sessions(session_ids - {row["id"] for row in rows}, SESSION_ENDED)

    async def _ask(self, session: Verified, wait_s: float, timeout_s: float) -> Account:
        wanted = {"session_id": session.session_id, "user_id": session.identity.user_id}
        try:
            row = await self._database.fetch_one(SESSION_QUERY, wanted, wait_s, timeout_s)
        except (ApiError, psycopg.Error):
            # The request's own statement reports the outage; a request without a statement is answered nevertheless.
            return self._accounts.unanswered(session)
        found = (row["is_operator"], row["is_disabled"], row["is_open"]) if row else None
        return self._accounts.answered(session, Account.of(found))
