"""Statements about messages."""

from __future__ import annotations

from backend.queries.repeats import once

# No row: not a member, or no such channel.
POST = once("""
    WITH sender AS (
        SELECT m.channel_id, u.id, u.username, u.display_name
        FROM memberships m JOIN users u ON u.id = m.user_id
        WHERE m.channel_id = %(channel_id)s AND m.user_id = %(user_id)s {if_free}
    ), posted AS (
        INSERT INTO messages (channel_id, sender_id, content, image_url)
        SELECT channel_id, id, %(content)s, %(image_url)s FROM sender
        RETURNING id, channel_id, sender_id, target_user_id, content, image_url, created_at
    ), answer AS (
        SELECT p.id, p.content, p.image_url, p.sender_id, s.username, s.display_name,
               p.channel_id, p.created_at AS "timestamp", p.target_user_id
        FROM posted p CROSS JOIN sender s
    ), {kept}told AS (
        INSERT INTO events (channel_id, message_id, key)
        SELECT channel_id, id, {key} FROM posted{after}
        RETURNING id
    )
""")

# Two bounded scans of one index: messages for all members, and those for this user only. ORDER BY matches that index,
# and the second scan uses ranges instead of equalities: otherwise the planner may scan the primary key backwards,
# through newer messages of other channels.
# A member gets at least one row, with a null id if there is nothing to show. No row: not a member, or no such channel.
LIST = """
    SELECT page.id, page.content, page.image_url, page.sender_id, u.username, u.display_name,
           page.channel_id, page.created_at AS "timestamp", page.target_user_id
    FROM memberships me
    LEFT JOIN LATERAL (
        (
            SELECT id, channel_id, sender_id, target_user_id, content, image_url, created_at
            FROM messages
            WHERE channel_id = me.channel_id AND target_user_id IS NULL AND id < %(before)s
            ORDER BY channel_id DESC, target_user_id DESC, id DESC
            LIMIT %(limit)s
        ) UNION ALL (
            SELECT id, channel_id, sender_id, target_user_id, content, image_url, created_at
            FROM messages
            WHERE (channel_id, target_user_id, id) < (me.channel_id, me.user_id, %(before)s)
              AND (channel_id, target_user_id) >= (me.channel_id, me.user_id) AND target_user_id IS NOT NULL
            ORDER BY channel_id DESC, target_user_id DESC, id DESC
            LIMIT %(limit)s
        )
        ORDER BY id DESC
        LIMIT %(limit)s
    ) page ON true
    LEFT JOIN LATERAL (SELECT username, display_name FROM users WHERE id = page.sender_id LIMIT 1) u ON true
    WHERE me.channel_id = %(channel_id)s AND me.user_id = %(user_id)s
    ORDER BY page.id DESC
"""
