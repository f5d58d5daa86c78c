"""Membership checks. Statements join `memberships`; the functions here turn a missing member into a refusal."""

from __future__ import annotations

from collections.abc import Callable

from servicekit.codes import Code

from data_processor.database import statements
from data_processor.database.statements import Row
from data_processor.web.errors import NotAMemberError, NotFoundError
from data_processor.web.pages import Page

Read = Callable[[str, Row], Row | None]
"""Runs a statement and returns its first row."""

CHANNEL_REFUSALS = (Code.NO_SUCH_CHANNEL, Code.NOT_A_MEMBER, Code.DATABASE_AWAY)
"""The refusals of a call about a channel."""

_CHANNEL = """
    SELECT m.user_id AS member FROM channels c
    LEFT JOIN memberships m ON m.channel_id = c.id AND m.user_id = %(user_id)s
    WHERE c.id = %(channel_id)s
"""


def channel_require_member(*, channel_id: int, user_id: int) -> None:
    """Raise NotFoundError if there is no such channel, NotAMemberError if the user is not in it."""
    _require_member(statements.rows(_CHANNEL, {"channel_id": channel_id, "user_id": user_id}), channel_id)


def _require_member(rows: list[Row], channel_id: int) -> None:
    if not rows:
        raise NotFoundError(Code.NO_SUCH_CHANNEL, channel_id)
    if rows[0]["member"] is None:
        raise NotAMemberError(channel_id)


def newest_in_channel(table: str, alias: str, columns: str) -> str:
    """Return the statement for a page of a channel's rows in `table`, for `page_of_channel`. Takes constants only."""
    return f"""
        SELECT m.user_id AS member, {alias}.* FROM channels c
        LEFT JOIN memberships m ON m.channel_id = c.id AND m.user_id = %(user_id)s
        LEFT JOIN LATERAL (
            SELECT {columns} FROM {table} {alias}
            {statements.newest(alias, "channel_id", "m.channel_id")}
        ) {alias} ON true
        WHERE c.id = %(channel_id)s ORDER BY {alias}.id DESC
    """


def page_of_channel(statement: str, *, channel_id: int, user_id: int, page: Page) -> list[Row]:
    """Return the page that a statement of `newest_in_channel` finds. Raises NotFoundError, NotAMemberError."""
    parameters = {"channel_id": channel_id, "user_id": user_id, "before": page.before, "limit": page.probe}
    rows = statements.rows(statement, parameters)
    _require_member(rows, channel_id)
    return listed(rows)


def listed(rows: list[Row]) -> list[Row]:
    """Return the items of a list without `member` and `of_channel`; a list without items has one row of NULLs."""
    for row in rows:
        row.pop("member", None)
        row.pop("of_channel", None)
    return [row for row in rows if row["id"] is not None]


def refusals(code: Code) -> tuple[Code, ...]:
    """Return the refusals of a call about one object; `code` means that it does not exist."""
    return (code, Code.NOT_A_MEMBER, Code.DATABASE_AWAY)


def one(table: str, alias: str, columns: str) -> str:
    """Return the statement for one row of `table`, for `find`. Takes constants only."""
    return f"""
        SELECT m.user_id AS member, {alias}.channel_id AS of_channel, {columns} FROM {table} {alias}
        LEFT JOIN memberships m ON m.channel_id = {alias}.channel_id AND m.user_id = %(user_id)s
        WHERE {alias}.id = %(id)s
    """


def find(statement: str, code: Code, *, object_id: int, user_id: int, read: Read = statements.row) -> Row:
    """Return the row that a statement of `one` finds. Raises NotFoundError with this code, and NotAMemberError."""
    return found(read(statement, {"id": object_id, "user_id": user_id}), code, object_id)


def found(row: Row | None, code: Code, object_id: int) -> Row:
    """Return `row` without `member` and `of_channel`. Raises NotFoundError for None, and NotAMemberError."""
    if row is None:
        raise NotFoundError(code, object_id)
    channel_id = row.pop("of_channel")
    if row.pop("member") is None:
        raise NotAMemberError(channel_id)
    return row
