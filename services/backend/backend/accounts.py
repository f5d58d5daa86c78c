"""Whether the user of a session still exists, for requests and for the sockets that are open."""

from __future__ import annotations

import asyncio
import dataclasses
import logging

import psycopg
from servicekit.accounts import ASK, FRESH_S, Account, Accounts
from servicekit.tokens import Identity

from backend.database import ANSWER_S, WAIT_S, Database
from backend.errors import ApiError, Unauthenticated
from backend.live.hub import ENDED, Hub
from backend.queries import users as sql

log = logging.getLogger(__name__)


class Users:
    """What this process knows of its users' rows."""

    def __init__(self, database: Database, hub: Hub) -> None:
        self._database = database
        self._hub = hub
        self._accounts = Accounts()

    async def confirm(
        self, identity: Identity, wait_s: float = WAIT_S, answer_s: float = ANSWER_S, *, ask: bool = False
    ) -> Identity:
        """Return a session's identity as the database has it. The answer may be `FRESH_S` old, unless `ask` is set.

        While the database does not answer, its last answer holds, or the token alone. Raises Unauthenticated.
        """
        account = None if ask else self._accounts.known(identity.user_id)
        if account is None:
            account = await self._ask(identity.user_id, wait_s, answer_s)
        if not account.exists:
            raise Unauthenticated("this session's user no longer exists: log in again")
        if identity.is_operator and not account.is_operator:
            return dataclasses.replace(identity, is_operator=False)
        return identity

    def forget(self, user_id: int) -> None:
        """Ask the database anew at the user's next request: something has changed."""
        self._accounts.forget(user_id)

    async def watch_sockets(self) -> None:
        """Close the sockets of users that are gone, for as long as this runs."""
        while True:
            await asyncio.sleep(FRESH_S)
            user_ids = self._hub.users()
            if not user_ids:
                continue
            try:
                rows = await self._database.all(sql.EXISTING, {"user_ids": user_ids})
            except (ApiError, psycopg.Error):
                continue
            except Exception:
                log.exception("open sockets could not be compared with the users there are")
                continue
            self._hub.end_users(set(user_ids) - {row["id"] for row in rows}, ENDED)

    async def _ask(self, user_id: int, wait_s: float, answer_s: float) -> Account:
        try:
            row = await self._database.one(ASK, {"user_id": user_id}, wait_s, answer_s)
        except (ApiError, psycopg.Error):
            # The request's own statement says what is wrong; a request without one has to be answered all the same.
            return self._accounts.unanswered(user_id)
        return self._accounts.answered(
            user_id, Account(exists=row is not None, is_operator=bool(row and row["is_operator"]))
        )
