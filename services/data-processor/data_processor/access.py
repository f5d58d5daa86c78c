"""May this user see what is in this channel? Statements join `memberships`; this says what their answer means."""

from __future__ import annotations

from servicekit.codes import Code

from data_processor.database import statements
from data_processor.web.errors import NotAMemberError, NotFoundError
from data_processor.web.pages import Page

_CHANNEL = """
    SELECT m.user_id FROM channels c
    LEFT JOIN memberships m ON m.channel_id = c.id AND m.user_id = %(user_id)s
    WHERE c.id = %(channel_id)s
"""


def channel_require_member(*, channel_id: int, user_id: int) -> None:
    """Raise NotFoundError if there is no such channel, NotAMemberError if the user is not in it."""
    listed(statements.rows(_CHANNEL, {"channel_id": channel_id, "user_id": user_id}), channel_id)


def listed(rows: list[statements.Row], channel_id: int) -> None:
    """Check the rows of a statement that starts at a channel and yields the member's id (or NULL) first.

    Raises NotFoundError for no row at all, and NotAMemberError.
    """
    if not rows:
        raise NotFoundError(Code.NO_SUCH_CHANNEL, channel_id)
    if rows[0][0] is None:
        raise NotAMemberError(channel_id)


def newest_in_channel(table: str, alias: str, columns: str) -> str:
    """Return the statement for a page of a channel's rows in `table`, for `page_of_channel`. Takes constants only."""
    return f"""
        SELECT m.user_id, {alias}.* FROM channels c
        LEFT JOIN memberships m ON m.channel_id = c.id AND m.user_id = %(user_id)s
        LEFT JOIN LATERAL (
            SELECT {columns} FROM {table} {alias}
            {statements.newest(alias, "channel_id", "m.channel_id")}
        ) {alias} ON true
        WHERE c.id = %(channel_id)s ORDER BY {alias}.id DESC
    """


def page_of_channel(statement: str, *, channel_id: int, user_id: int, page: Page) -> list[statements.Row]:
    """Return the page that a statement of `newest_in_channel` finds. Raises NotFoundError, NotAMemberError."""
    parameters = {"channel_id": channel_id, "user_id": user_id, "before": page.before, "limit": page.probe}
    rows = statements.rows(statement, parameters)
    listed(rows, channel_id)
    return [row[1:] for row in rows if row[1] is not None]


def found(row: statements.Row | None, code: Code, object_id: int) -> statements.Row:
    """Return the row of a statement for one object, which yields member's id (or NULL), channel id, and what follows.

    Returns only what follows. Raises NotFoundError for no row, and NotAMemberError.
    """
    if row is None:
        raise NotFoundError(code, object_id)
    if row[0] is None:
        raise NotAMemberError(row[1])
    return row[2:]
