"""Statements about invites."""

from __future__ import annotations

CREATE = """
    INSERT INTO invites (code_hash, created_by, expires_at)
    SELECT %(code_hash)s, u.id, now() + make_interval(secs => %(ttl_s)s) FROM users u WHERE u.id = %(user_id)s
    RETURNING id, created_at, expires_at
"""

LIST = """
    SELECT id, created_by, created_at, expires_at, used_by, used_at
    FROM invites
    WHERE id < %(before)s
    ORDER BY id DESC
    LIMIT %(limit)s
"""

DELETE = """
    DELETE FROM invites WHERE id = %(id)s RETURNING id
"""

IS_GOOD = """
    SELECT true AS is_good FROM invites WHERE code_hash = %(code_hash)s AND used_at IS NULL AND expires_at > now()
"""

# Uses the invite and creates the user in one transaction. The row lock makes a second request with the same code find
# it used. No row: no valid invite, or the name is taken.
REGISTER = """
    WITH invite AS (
        SELECT id FROM invites
        WHERE code_hash = %(code_hash)s AND used_at IS NULL AND expires_at > now()
        FOR UPDATE
    ), created AS (
        INSERT INTO users (username, display_name, password_hash)
        SELECT %(username)s, %(display_name)s, %(password_hash)s FROM invite
        ON CONFLICT (lower(username COLLATE "C")) DO NOTHING
        RETURNING id, username, display_name, is_operator
    ), used AS (
        UPDATE invites i SET used_by = created.id, used_at = now()
        FROM created, invite
        WHERE i.id = invite.id
    )
    SELECT id, username, display_name, is_operator FROM created
"""
