"""Statements about requests that can be repeated."""

from __future__ import annotations

from typing import LiteralString, NamedTuple

from servicekit import repeats

# A part at a time, so that no statement takes long.
PRUNE = f"""
    WITH gone AS (
        DELETE FROM idempotency_keys WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM idempotency_keys
            WHERE created_at < now() - interval '{repeats.KEPT_H} hours' LIMIT 10000
        )) RETURNING 1
    )
    SELECT count(*) AS count FROM gone
"""  # noqa: S608  a constant


class Once(NamedTuple):
    """A statement that writes, without and with a key. With a key, no row may mean that it is used or in work."""

    plain: LiteralString
    keyed: LiteralString


def once(statement: str) -> Once:
    """Return both forms of `statement`, whose places are {if_free}, {kept}, {after} and {key}.

    Its query `answer` is what is answered, and `told` has the id of the stored event. That id is taken after the key
    is stored: readers of events wait for an id that is taken and not used.
    """
    plain = statement.format(if_free="", kept="", after="", key="NULL")
    keyed = statement.format(
        if_free=repeats.IF_FREE, kept=f"{repeats.KEPT}, ", after=" CROSS JOIN kept", key="%(key)s::text"
    )
    read = " SELECT answer.*, told.id AS event_id FROM answer, told"
    return Once(plain + read, keyed + read)
