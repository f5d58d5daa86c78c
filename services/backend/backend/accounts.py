"""Checks that the user of a session still exists, for requests and for open sockets."""

from __future__ import annotations

import asyncio
import dataclasses
import logging

import psycopg
from servicekit.accounts import ACCOUNT_QUERY, FRESH_S, Account, Accounts
from servicekit.tokens import Identity

from backend.database import POOL_TIMEOUT_S, QUERY_TIMEOUT_S, Database
from backend.errors import ApiError, UserDeleted
from backend.live.hub import SESSION_ENDED, Hub
from backend.queries import users as sql

log = logging.getLogger(__name__)


class Users:
    """Cache of this process for users' existence and operator rights."""

    def __init__(self, database: Database, hub: Hub) -> None:
        self._database = database
        self._hub = hub
        self._accounts = Accounts()

    async def confirm(
        self,
        identity: Identity,
        wait_s: float = POOL_TIMEOUT_S,
        timeout_s: float = QUERY_TIMEOUT_S,
        *,
        refresh: bool = False,
    ) -> Identity:
        """Return a session's identity as the database has it, at most `FRESH_S` old; `refresh` asks the database now.

        While the database does not answer, its last answer is used, or the token alone. Raises Unauthenticated.
        """
        account = None if refresh else self._accounts.known(identity.user_id)
        if account is None:
            account = await self._ask(identity.user_id, wait_s, timeout_s)
        if not account.exists:
            raise UserDeleted
        if identity.is_operator and not account.is_operator:
            return dataclasses.replace(identity, is_operator=False)
        return identity

    def forget(self, user_id: int) -> None:
        """Ask the database again at the user's next request."""
        self._accounts.forget(user_id)

    async def watch_sockets(self) -> None:
        """Close the sockets of deleted users, until cancelled."""
        while True:
            await asyncio.sleep(FRESH_S)
            user_ids = self._hub.users()
            if not user_ids:
                continue
            try:
                rows = await self._database.fetch_all(sql.EXISTING, {"user_ids": user_ids})
            except (ApiError, psycopg.Error):
                continue
            except Exception:
                log.exception("could not check whether the users of open sockets still exist")
                continue
            self._hub.close_users(set(user_ids) - {row["id"] for row in rows}, SESSION_ENDED)

    async def _ask(self, user_id: int, wait_s: float, timeout_s: float) -> Account:
        try:
            row = await self._database.fetch_one(ACCOUNT_QUERY, {"user_id": user_id}, wait_s, timeout_s)
        except (ApiError, psycopg.Error):
            # The request's own statement reports the outage; a request without a statement is answered nevertheless.
            return self._accounts.unanswered(user_id)
        return self._accounts.answered(
            user_id, Account(exists=row is not None, is_operator=bool(row and row["is_operator"]))
        )
