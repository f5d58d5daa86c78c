"""Statements of `python -m backend accounts`."""

from __future__ import annotations

LIST = """
    SELECT u.id, u.username, u.display_name, u.is_operator, u.disabled_at IS NOT NULL AS is_disabled, u.created_at, (
        SELECT count(*)
        FROM sessions s
        WHERE s.user_id = u.id AND s.version = u.session_version AND s.expires_at > now() AND u.disabled_at IS NULL
    ) AS open_sessions
    FROM users u
    ORDER BY lower(u.username COLLATE "C")
"""

# In the order in which users.DELETE locks them, so that the last two cannot be taken away at once.
LOCK_OPERATORS = """
    SELECT id FROM users WHERE is_operator AND disabled_at IS NULL ORDER BY id FOR UPDATE
"""

LOCK_USER = """
    SELECT id, username, display_name, is_operator, disabled_at IS NOT NULL AS is_disabled
    FROM users
    WHERE lower(username COLLATE "C") = lower(%(username)s::text COLLATE "C")
    FOR UPDATE
"""

# Ends all sessions of the user, also for the time after the user is enabled again.
DISABLE = """
    UPDATE users SET disabled_at = now(), session_version = session_version + 1 WHERE id = %(id)s
"""

ENABLE = """
    UPDATE users SET disabled_at = NULL WHERE id = %(id)s
"""

SET_OPERATOR = """
    UPDATE users SET is_operator = %(is_operator)s WHERE id = %(id)s
"""
