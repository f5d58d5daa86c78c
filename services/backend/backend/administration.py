"""Accounts, as the deployment administers them: each change is one transaction, and is recorded in `stack_events`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import psycopg
from psycopg.rows import dict_row
from pydantic import ValidationError
from servicekit.events import TELL, Event, stored_form
from servicekit.facts import OPERATOR_USERNAME
from servicekit.migrations import record_event

from backend.announcements import announce
from backend.live import frames
from backend.password_rules import weakness
from backend.passwords import hash_password
from backend.queries import administration as sql
from backend.queries import users as users_sql
from backend.schemas import Registration
from backend.settings import SERVICE, BackendSettings

Row = dict[str, Any]


class RefusedError(Exception):
    """A change that is refused; the message says why, and what to do."""


class Administration:
    """Changes accounts in the database, and tells the running services."""

    def __init__(self, settings: BackendSettings) -> None:
        self._settings = settings
        self._conninfo = settings.conninfo(f"{SERVICE} accounts")

    def users(self) -> list[Row]:
        """Return all users, by name."""
        with psycopg.connect(self._conninfo, row_factory=dict_row) as conn:
            return conn.execute(sql.LIST).fetchall()

    def create(self, username: str, password: str, display_name: str | None, *, is_operator: bool) -> str:
        """Create a user, also where registration is closed."""
        wanted = _checked(username, password, display_name)
        row = {
            "username": wanted.username,
            "display_name": wanted.display_name or wanted.username,
            "password_hash": hash_password(wanted.password),
            "is_operator": is_operator,
        }
        with psycopg.connect(self._conninfo, row_factory=dict_row) as conn:
            if conn.execute(users_sql.CREATE, row).fetchone() is None:
                raise RefusedError(f"the name {username} is taken: choose another")
            self._record(conn, "user_created", wanted.username)
        return f"created {wanted.username}"

    def disable(self, username: str) -> str:
        """End all sessions of a user and refuse further logins."""

        def change(conn: psycopg.Connection[Row], user: Row) -> str | None:
            if user["is_disabled"]:
                return None
            self._keep_an_operator(conn, user)
            conn.execute(sql.DISABLE, user)
            return "user_disabled"

        return self._change(username, change, "is disabled", ends_sessions=True)

    def enable(self, username: str) -> str:
        """Let a disabled user log in again."""

        def change(conn: psycopg.Connection[Row], user: Row) -> str | None:
            if not user["is_disabled"]:
                return None
            conn.execute(sql.ENABLE, user)
            return "user_enabled"

        return self._change(username, change, "is enabled")

    def promote(self, username: str) -> str:
        """Make a user an operator, from the next login on."""

        def change(conn: psycopg.Connection[Row], user: Row) -> str | None:
            if user["is_operator"]:
                return None
            conn.execute(sql.SET_OPERATOR, user | {"is_operator": True})
            return "user_promoted"

        return self._change(username, change, "is an operator")

    def demote(self, username: str) -> str:
        """Take an operator's rights away."""

        def change(conn: psycopg.Connection[Row], user: Row) -> str | None:
            if not user["is_operator"]:
                return None
            self._keep_an_operator(conn, user)
            conn.execute(sql.SET_OPERATOR, user | {"is_operator": False})
            return "user_demoted"

        return self._change(username, change, "is no operator", ends_sessions=True)

    def reset_password(self, username: str, password: str) -> str:
        """Set a user's password and end all of the user's sessions."""

        def change(conn: psycopg.Connection[Row], user: Row) -> str:
            if user["username"] == OPERATOR_USERNAME and user["is_operator"]:
                raise RefusedError(
                    f"the password of {OPERATOR_USERNAME} is the secret file operator_password: replace it, then run "
                    "./deploy-local.sh"
                )
            wanted = _checked(user["username"], password, user["display_name"])
            conn.execute(users_sql.NEW_HASH, user | {"password_hash": hash_password(wanted.password)})
            return "user_password_reset"

        return self._change(username, change, "has a new password", ends_sessions=True)

    def delete(self, username: str) -> str:
        """Delete a user. Messages and uploads stay, without the user's name."""
        left: list[Event] = []

        def change(conn: psycopg.Connection[Row], user: Row) -> str:
            if user["username"] == OPERATOR_USERNAME and user["is_operator"]:
                raise RefusedError(f"each deployment creates {OPERATOR_USERNAME} again: disable the account instead")
            self._keep_an_operator(conn, user)
            gone = conn.execute(users_sql.DELETE, user).fetchone()
            if gone is None:
                raise RefusedError(f"{username} is the last operator: promote another user first")
            told = frames.account_deleted(gone)
            ids = conn.execute(TELL, {"events": stored_form(told)}).fetchall()
            left.extend(replace(event, id=row["id"]) for event, row in zip(told, ids, strict=True))
            return "user_deleted"

        return self._change(username, change, "is deleted", ends_sessions=True, events=left)

    def _change(
        self,
        username: str,
        change: Callable[[psycopg.Connection[Row], Row], str | None],
        now: str,
        *,
        ends_sessions: bool = False,
        events: list[Event] | None = None,
    ) -> str:
        """Change a user in one transaction. `change` returns what to record, None if there was nothing to do."""
        with psycopg.connect(self._conninfo, row_factory=dict_row) as conn:
            conn.execute(sql.LOCK_OPERATORS)
            user = conn.execute(sql.LOCK_USER, {"username": username}).fetchone()
            if user is None:
                raise RefusedError(f"there is no user {username}: ./deploy-local.sh user list shows all")
            event = change(conn, user)
            if event is None:
                return f"{user['username']} {now} already"
            self._record(conn, event, user["username"])
        if ends_sessions:
            changed = Event(None, frames.SESSIONS_CHANGED, [user["id"]])
            announce(self._settings, [*(events or ()), changed], of_operator=user["is_operator"])
        return f"{user['username']} {now}"

    def _keep_an_operator(self, conn: psycopg.Connection[Row], user: Row) -> None:
        if not user["is_operator"] or user["is_disabled"]:
            return
        if len(conn.execute(sql.LOCK_OPERATORS).fetchall()) == 1:
            raise RefusedError(f"{user['username']} is the last operator: promote another user first")

    def _record(self, conn: psycopg.Connection[Row], event: str, username: str) -> None:
        record_event(conn, self._settings.stack_id, SERVICE, event, username)


def _checked(username: str, password: str, display_name: str | None) -> Registration:
    """Return the account by the rules of registration. Raises RefusedError."""
    try:
        wanted = Registration(username=username, password=password, display_name=display_name)
    except ValidationError as error:
        # Never the input: it may be a password.
        found = error.errors(include_url=False, include_input=False, include_context=False)
        raise RefusedError("; ".join(f"{one['loc'][0]}: {one['msg']}" for one in found)) from None
    reason = weakness(wanted.password, wanted.username, wanted.display_name or wanted.username)
    if reason is not None:
        raise RefusedError(f"password: {reason}")
    return wanted
