"""Statements about users."""

from __future__ import annotations

CREATE = """
    INSERT INTO users (username, display_name, password_hash, is_operator)
    VALUES (%(username)s, %(display_name)s, %(password_hash)s, %(is_operator)s)
    ON CONFLICT (lower(username COLLATE "C")) DO NOTHING
    RETURNING id, username, display_name, is_operator
"""

BY_USERNAME = """
    SELECT id, username, display_name, is_operator, password_hash
    FROM users
    WHERE lower(username COLLATE "C") = lower(%(username)s::text COLLATE "C")
"""

BY_ID = """
    SELECT id, username, display_name, is_operator
    FROM users
    WHERE id = %(id)s
"""
