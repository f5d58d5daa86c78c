"""Statements about requests that can be repeated."""

from __future__ import annotations

from typing import LiteralString, NamedTuple

from servicekit import repeats

FIND = repeats.FIND

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
    """A statement that writes, without and with a key. The one with a key always returns a row, with `free`."""

    plain: LiteralString
    keyed: LiteralString


def once(statement: str) -> Once:
    """Return both forms of `statement`, whose places are {turn}, {if_free}, {key} and {kept}.

    Its query `answer` is what is answered, and `told` has the id of the stored event.
    """
    plain = statement.format(turn="", if_free="", key="NULL", kept="")
    keyed = statement.format(turn=repeats.TURN, if_free=repeats.IF_FREE, key="%(key)s::text", kept=repeats.KEPT)
    return Once(
        f"{plain} SELECT answer.*, told.id AS event_id FROM answer, told",  # noqa: S608  constants
        f"{keyed} SELECT turn.free, answer.*, told.id AS event_id"  # noqa: S608
        " FROM turn LEFT JOIN (answer CROSS JOIN told) ON true",
    )
