"""Statements about sessions. One is open while it has a row with its user's `session_version`."""

from __future__ import annotations

# Opens the session only if the password is still the verified one, and the user is not disabled. No row: the user was
# changed or deleted meanwhile.
OPEN = """
    INSERT INTO sessions (id, user_id, version, expires_at)
    SELECT %(session_id)s, id, session_version, now() + make_interval(secs => %(ttl_s)s)
    FROM users
    WHERE id = %(user_id)s AND password_hash = %(password_hash)s AND disabled_at IS NULL
    RETURNING id
"""

END = """
    DELETE FROM sessions WHERE id = %(session_id)s RETURNING id
"""

OPEN_AMONG = """
    SELECT s.id::text AS id
    FROM sessions s JOIN users u ON u.id = s.user_id AND u.session_version = s.version
    WHERE s.id = ANY(%(session_ids)s::uuid[]) AND u.disabled_at IS NULL
"""

# Ends all sessions of the user except this one. No row: the password is not the verified one any more.
REPLACE_HASH = """
    WITH changed AS (
        UPDATE users SET password_hash = %(new_hash)s, session_version = session_version + 1
        WHERE id = %(user_id)s AND password_hash = %(password_hash)s
        RETURNING id, session_version
    ), kept AS (
        UPDATE sessions s SET version = changed.session_version
        FROM changed
        WHERE s.id = %(session_id)s AND s.user_id = changed.id
    )
    SELECT id FROM changed
"""

# A part at a time, so that no statement takes long.
PRUNE = """
    WITH gone AS (
        DELETE FROM sessions WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM sessions WHERE expires_at < now() LIMIT 10000
        )) RETURNING 1
    )
    SELECT count(*) AS count FROM gone
"""
