"""Statements about stored events: what members are told, in the transaction of what it is about."""

from __future__ import annotations

from servicekit import events

TELL = events.TELL

_COLUMNS = """
    e.id, e.channel_id, e.user_ids, e.key, e.frame::text AS frame, m.id AS message_id, m.content, m.image_url,
    m.sender_id, m.username, m.display_name, m.created_at AS "timestamp", m.target_user_id
"""
# `OFFSET 0` has each message looked up by its id: otherwise Postgres may read all messages in the order of their ids.
_MESSAGE = """
    LEFT JOIN LATERAL (
        SELECT m.id, m.content, m.image_url, m.sender_id, u.username, u.display_name, m.created_at, m.target_user_id
        FROM messages m LEFT JOIN users u ON u.id = m.sender_id WHERE m.id = e.message_id OFFSET 0
    ) m ON true
"""

# `oldest` is the oldest transaction that was not finished when the rows were read.
WHOLE = f"""
    SELECT {_COLUMNS}, pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS oldest
    FROM (SELECT * FROM events WHERE id > %(after)s ORDER BY id LIMIT %(limit)s) e {_MESSAGE}
    ORDER BY e.id
"""  # noqa: S608  constants

# The same without the frames.
BRIEF = """
    SELECT id, channel_id, user_ids, pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS oldest
    FROM events WHERE id > %(after)s ORDER BY id LIMIT %(limit)s
"""

# Every transaction that has taken the id of an event by now is older than this one.
BARRIER = "SELECT pg_current_xact_id()::text::bigint AS barrier"

LAST = """
    SELECT coalesce(max(id), 0) AS last, pg_current_xact_id()::text::bigint AS barrier FROM events
"""
OLDEST = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS oldest"

FIRST = "SELECT coalesce(min(id), 0) AS first FROM events"

# What a user may see of the events after `after` up to `until`: of the channels that they are a member of now, and what
# was for them alone. The events first, in the order of their ids, so that no more of them are read than are sent. Each
# membership is looked up: `IN` would read all channels of the user.
SINCE = f"""
    SELECT {_COLUMNS}
    FROM (
        SELECT * FROM events e
        WHERE e.id > %(after)s AND e.id <= %(until)s AND (
            %(user_id)s::bigint = ANY(e.user_ids)
            OR e.user_ids IS NULL AND (
                SELECT true FROM memberships m WHERE m.user_id = %(user_id)s::bigint AND m.channel_id = e.channel_id
            )
        )
        ORDER BY e.id LIMIT %(limit)s
    ) e {_MESSAGE}
    ORDER BY e.id
"""  # noqa: S608  constants

# Ids follow time. The newest event is kept, so that ids after it are known to be new. A part at a time.
PRUNE = f"""
    WITH old AS MATERIALIZED (
        SELECT max(id) AS last
        FROM (SELECT id, told_at FROM events ORDER BY id LIMIT 10000) oldest
        WHERE told_at < now() - interval '{events.KEPT_MIN} minutes'
    ), gone AS (
        DELETE FROM events
        WHERE id <= (SELECT last FROM old) AND told_at < now() - interval '{events.KEPT_MIN} minutes'
          AND id < (SELECT max(id) FROM events)
        RETURNING 1
    )
    SELECT count(*) AS count FROM gone
"""  # noqa: S608  constants
