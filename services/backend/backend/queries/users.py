"""Statements about users."""

from __future__ import annotations

CREATE = """
    INSERT INTO users (username, display_name, password_hash, is_operator)
    VALUES (%(username)s, %(display_name)s, %(password_hash)s, %(is_operator)s)
    ON CONFLICT (lower(username COLLATE "C")) DO NOTHING
    RETURNING id, username, display_name, is_operator
"""

BY_USERNAME = """
    SELECT id, username, display_name, is_operator, password_hash, disabled_at IS NOT NULL AS is_disabled
    FROM users
    WHERE lower(username COLLATE "C") = lower(%(username)s::text COLLATE "C")
"""

BY_ID = """
    SELECT id, username, display_name, is_operator
    FROM users
    WHERE id = %(id)s
"""

# Ends all sessions of the user.
NEW_HASH = """
    UPDATE users SET password_hash = %(password_hash)s, session_version = session_version + 1 WHERE id = %(id)s
"""

HASH_OF = """
    SELECT password_hash, display_name FROM users WHERE id = %(id)s
"""

# One statement, so one transaction. Operators are locked in one order, so that the last two cannot be deleted at once.
# Private channels without another member are deleted, too: they could never get a member again. No row: no such user,
# or the last operator.
DELETE = """
    WITH me AS MATERIALIZED (
        SELECT id, is_operator FROM users WHERE id = %(id)s
    ), operators AS MATERIALIZED (
        SELECT id FROM users
        WHERE is_operator AND disabled_at IS NULL AND (SELECT is_operator FROM me)
        ORDER BY id
        FOR UPDATE
    ), leaver AS MATERIALIZED (
        SELECT id FROM me WHERE NOT is_operator OR (SELECT count(*) FROM operators) > 1
    ), abandoned AS (
        DELETE FROM channels c
        USING leaver, memberships m
        WHERE m.user_id = leaver.id AND c.id = m.channel_id AND c.type = 'private'
          AND NOT EXISTS (SELECT FROM memberships other WHERE other.channel_id = c.id AND other.user_id <> leaver.id)
        RETURNING c.id
    ), gone AS (
        DELETE FROM users u USING leaver WHERE u.id = leaver.id RETURNING u.id, u.username, u.display_name
    )
    SELECT gone.id AS user_id, gone.username, gone.display_name, ARRAY(
        SELECT json_build_array(c.id, c.name)
        FROM memberships m JOIN channels c ON c.id = m.channel_id
        WHERE m.user_id = %(id)s AND c.id NOT IN (SELECT id FROM abandoned)
    ) AS channels
    FROM gone
"""
