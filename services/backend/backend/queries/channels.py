"""Statements about channels and their members."""

from __future__ import annotations

from backend.queries.repeats import once

# One statement, so one transaction for the channel, its first member and the member's welcome.
CREATE = once("""
    WITH channel AS (
        INSERT INTO channels (name, type, created_by)
        SELECT %(name)s, %(type)s, u.id FROM users u WHERE u.id = %(user_id)s {if_free}
        ON CONFLICT (ltrim(lower(name) COLLATE "C", '#')) WHERE type = 'public' DO NOTHING
        RETURNING id, name, type, created_by, created_at
    ), member AS (
        INSERT INTO memberships (channel_id, user_id)
        SELECT id, created_by FROM channel
    ), welcome AS (
        INSERT INTO messages (channel_id, target_user_id, content)
        SELECT id, created_by, 'Welcome to ' || name || '!' FROM channel
        RETURNING id, content, created_at
    ), answer AS (
        SELECT c.id, c.name, c.type, false AS is_direct, c.created_by, c.created_at,
               w.id AS welcome_id, w.content AS welcome_content, w.created_at AS welcome_at
        FROM channel c CROSS JOIN welcome w
    ), {kept}told AS (
        INSERT INTO events (channel_id, user_ids, message_id)
        SELECT c.id, ARRAY[c.created_by], w.id FROM channel c CROSS JOIN welcome w{after}
        RETURNING id
    )
""")

DIRECT = """
    SELECT id, name, type, true AS is_direct, created_by, created_at FROM channels WHERE direct_key = %(direct_key)s
"""

# Returns the members, too. No row: no such user, or the channel exists.
CREATE_DIRECT = """
    WITH pair AS (
        SELECT me.id AS my_id, me.username AS my_username, me.display_name AS my_display_name,
               other.id AS other_id, other.username AS other_username, other.display_name AS other_display_name
        FROM users me CROSS JOIN users other
        WHERE me.id = %(user_id)s AND other.id = %(other_id)s
    ), channel AS (
        INSERT INTO channels (name, type, direct_key, created_by)
        SELECT my_username || ', ' || other_username, 'private', %(direct_key)s, my_id FROM pair
        ON CONFLICT (direct_key) DO NOTHING
        RETURNING id, name, type, created_by, created_at
    ), members AS (
        INSERT INTO memberships (channel_id, user_id)
        SELECT id, unnest(ARRAY[%(user_id)s, %(other_id)s]::bigint[]) FROM channel
    )
    SELECT id, name, type, true AS is_direct, created_by, created_at,
           my_username, my_display_name, other_username, other_display_name
    FROM channel CROSS JOIN pair
"""

# Two bounded scans: the newest public channels, and the user's private ones. Anything older than a full page of public
# channels is not on the page, so the second scan skips at most a page of the user's public channels.
LIST = """
    WITH public AS MATERIALIZED (
        SELECT id, name, type, false AS is_direct, created_by, created_at
        FROM channels
        WHERE type = 'public' AND id < %(before)s
        ORDER BY id DESC
        LIMIT %(limit)s
    ), oldest AS MATERIALIZED (
        SELECT min(id) AS id FROM public HAVING count(*) = %(limit)s
    )
    (
        SELECT id, name, type, is_direct, created_by, created_at FROM public
    ) UNION ALL (
        SELECT c.id, c.name, c.type, c.direct_key IS NOT NULL, c.created_by, c.created_at
        FROM memberships m JOIN channels c ON c.id = m.channel_id
        WHERE m.user_id = %(user_id)s AND m.channel_id < %(before)s AND c.type = 'private'
          AND m.channel_id > coalesce((SELECT id FROM oldest), 0)
        ORDER BY m.channel_id DESC
        LIMIT %(limit)s
    )
    ORDER BY id DESC
    LIMIT %(limit)s
"""

# chr(1114111) sorts after every character of a name. `after` is the last channel of the previous page, which the user
# must be allowed to see.
_NAMED = """
    key >= (SELECT prefix FROM wanted) AND key < (SELECT prefix || chr(1114111) FROM wanted)
    AND (%(after)s::bigint IS NULL OR (key, id) > (SELECT key, id FROM mark))
"""
_PRIVATE_NAMED = f"SELECT * FROM keyed WHERE type = 'private' AND {_NAMED} ORDER BY key, id"  # noqa: S608  constants
# Ordered by name. A user's private channels are found in one of two ways. With few memberships: all of these. With
# many: by name, then the membership; if many channels of others have such a name, only the first of them, and after
# those the memberships. LATERAL with LIMIT keeps Postgres from exchanging the two.
SEARCH = f"""
    WITH wanted AS MATERIALIZED (
        SELECT lower(%(prefix)s::text) COLLATE "C" AS prefix
    ), mark AS MATERIALIZED (
        SELECT ltrim(lower(c.name) COLLATE "C", '#') AS key, c.id
        FROM channels c
        WHERE c.id = %(after)s AND (
            c.type = 'public'
            OR EXISTS (SELECT FROM memberships m WHERE m.channel_id = c.id AND m.user_id = %(user_id)s)
        )
    ), keyed AS NOT MATERIALIZED (
        SELECT id, name, type, direct_key IS NOT NULL AS is_direct, created_by, created_at,
               ltrim(lower(name) COLLATE "C", '#') AS key
        FROM channels
    ), known AS MATERIALIZED (
        SELECT count(*) <= 50 AS are_few FROM (SELECT FROM memberships WHERE user_id = %(user_id)s LIMIT 51) m
    ), by_name AS MATERIALIZED (
        SELECT named.* FROM ({_PRIVATE_NAMED} LIMIT 200) named CROSS JOIN LATERAL (
            SELECT FROM memberships WHERE channel_id = named.id AND user_id = %(user_id)s LIMIT 1
        ) m
        WHERE NOT (SELECT are_few FROM known)
        ORDER BY key, id
        LIMIT %(limit)s
    ), last_by_name AS MATERIALIZED (
        SELECT key, id FROM ({_PRIVATE_NAMED} OFFSET 199 LIMIT 1) named
        WHERE NOT (SELECT are_few FROM known) AND (SELECT count(*) FROM by_name) < %(limit)s
    )
    (
        SELECT * FROM keyed WHERE type = 'public' AND {_NAMED} ORDER BY key LIMIT %(limit)s
    ) UNION ALL (
        SELECT * FROM by_name
    ) UNION ALL (
        SELECT own.* FROM memberships m CROSS JOIN LATERAL (
            SELECT * FROM keyed WHERE id = m.channel_id AND type = 'private' LIMIT 1
        ) own
        WHERE m.user_id = %(user_id)s AND ((SELECT are_few FROM known) OR EXISTS (SELECT FROM last_by_name))
          AND ((SELECT are_few FROM known) OR (key, id) > (SELECT key, id FROM last_by_name)) AND {_NAMED}
        ORDER BY key, id
        LIMIT %(limit)s
    )
    ORDER BY key, id
    LIMIT %(limit)s
"""  # noqa: S608  constants

ACCESS = """
    SELECT c.type, c.direct_key IS NOT NULL AS is_direct, m.user_id IS NOT NULL AS is_member,
           c.created_by IS NOT DISTINCT FROM %(user_id)s AS is_creator
    FROM channels c LEFT JOIN memberships m ON m.channel_id = c.id AND m.user_id = %(user_id)s
    WHERE c.id = %(channel_id)s
"""

# `adder_id` must be a member; users add themselves to public channels. No row: no such channel or user.
# `joined` is true for a new member. Its events, which `frames.membership` and `frames.welcome` send, are stored by the
# same statement, which needs no BEGIN and COMMIT.
ADD_MEMBER = """
    WITH wanted AS (
        SELECT c.id AS channel_id, c.name, c.type, c.direct_key, c.created_by, c.created_at,
               u.id AS user_id, u.username, u.display_name,
               c.direct_key IS NULL AND (
                   c.type = 'public' AND u.id = %(adder_id)s::bigint
                   OR EXISTS (SELECT FROM memberships a WHERE a.channel_id = c.id AND a.user_id = %(adder_id)s::bigint)
               ) AS allowed
        FROM channels c CROSS JOIN users u
        WHERE c.id = %(channel_id)s AND u.id = %(user_id)s
    ), member AS (
        INSERT INTO memberships (channel_id, user_id)
        SELECT channel_id, user_id FROM wanted WHERE allowed
        ON CONFLICT DO NOTHING
        RETURNING joined_at
    ), welcome AS (
        INSERT INTO messages (channel_id, target_user_id, content)
        SELECT w.channel_id, w.user_id, 'Welcome to ' || w.name || '!' FROM wanted w CROSS JOIN member
        RETURNING id, content, created_at
    ), told AS (
        INSERT INTO events (channel_id, user_ids, message_id, frame)
        SELECT w.channel_id, event.user_ids, event.message_id, event.frame
        FROM wanted w CROSS JOIN welcome CROSS JOIN LATERAL (VALUES
            (1, NULL::bigint[], NULL::bigint, json_build_object(
                'type', 'join', 'user_id', w.user_id, 'username', w.username, 'display_name', w.display_name,
                'channel_id', w.channel_id, 'channel_name', w.name
            )),
            (2, ARRAY[w.user_id], welcome.id, NULL)
        ) event (position, user_ids, message_id, frame)
        ORDER BY event.position
        RETURNING id
    )
    SELECT w.channel_id AS id, w.name, w.type, w.direct_key IS NOT NULL AS is_direct, w.created_by, w.created_at,
           w.user_id, w.username, w.display_name, w.allowed,
           member.joined_at IS NOT NULL AS joined,
           coalesce(member.joined_at, (
               SELECT joined_at FROM memberships WHERE channel_id = %(channel_id)s AND user_id = %(user_id)s
           )) AS joined_at,
           welcome.id AS welcome_id, welcome.content AS welcome_content, welcome.created_at AS welcome_at,
           (SELECT min(id) FROM told) AS join_event_id, (SELECT max(id) FROM told) AS welcome_event_id
    FROM wanted w
    LEFT JOIN member ON true
    LEFT JOIN welcome ON true
"""

# Allowed to the member, and to the creator of the channel. No row: not a member, not allowed, or a direct channel.
REMOVE_MEMBER = """
    WITH gone AS (
        DELETE FROM memberships m
        USING channels c
        WHERE m.channel_id = %(channel_id)s AND m.user_id = %(member_id)s AND c.id = m.channel_id
          AND c.direct_key IS NULL AND %(user_id)s IN (m.user_id, c.created_by)
        RETURNING m.channel_id, m.user_id, c.name
    )
    SELECT g.channel_id, g.user_id, g.name AS channel_name, u.username, u.display_name
    FROM gone g JOIN users u ON u.id = g.user_id
"""

# Allowed to its creator. `is_marked` says whether the name may be that of a public channel. No row: no such channel, or
# not allowed. Raises UniqueViolation if a public channel has the name.
RENAME = """
    WITH before AS (
        SELECT id, name FROM channels WHERE id = %(channel_id)s
    ), renamed AS (
        UPDATE channels SET name = %(name)s
        WHERE id = %(channel_id)s AND created_by = %(user_id)s AND direct_key IS NULL
          AND (type <> 'public' OR %(is_marked)s)
        RETURNING id, name, type, false AS is_direct, created_by, created_at
    )
    SELECT renamed.*, before.name <> renamed.name AS changed FROM renamed JOIN before USING (id)
"""

# Allowed to its creator; for a direct channel, to both members. Foreign keys delete its content.
# No row: no such channel, or the user may not delete it.
DELETE = """
    WITH gone AS (
        DELETE FROM channels c
        WHERE c.id = %(channel_id)s AND (
            c.direct_key IS NULL AND c.created_by = %(user_id)s
            OR c.direct_key IS NOT NULL
               AND EXISTS (SELECT FROM memberships m WHERE m.channel_id = c.id AND m.user_id = %(user_id)s)
        )
        RETURNING c.name
    )
    SELECT name, ARRAY(SELECT user_id FROM memberships WHERE channel_id = %(channel_id)s) AS member_ids FROM gone
"""

# Newest first by user id; by a range, as in messages.LIST. A private channel shows its members to members only. No row:
# nothing to show, or not allowed.
MEMBERS = """
    SELECT m.user_id, u.username, u.display_name, m.joined_at
    FROM channels c
    CROSS JOIN LATERAL (
        SELECT user_id, joined_at
        FROM memberships
        WHERE (channel_id, user_id) < (c.id, %(before)s) AND channel_id >= c.id
        ORDER BY channel_id DESC, user_id DESC
        LIMIT %(limit)s
    ) m
    CROSS JOIN LATERAL (SELECT username, display_name FROM users WHERE id = m.user_id LIMIT 1) u
    LEFT JOIN memberships own ON own.channel_id = c.id AND own.user_id = %(user_id)s
    WHERE c.id = %(channel_id)s AND (c.type = 'public' OR own.user_id IS NOT NULL)
    ORDER BY m.user_id DESC
"""

# No row: not a member.
SENDER = """
    SELECT u.username, u.display_name
    FROM memberships m JOIN users u ON u.id = m.user_id
    WHERE m.channel_id = %(channel_id)s AND m.user_id = %(user_id)s
"""

# The memberships among these channels and users: one look for each pair, however many members a channel has.
MEMBERS_AMONG_FEW = """
    SELECT c.id AS channel_id, u.id AS user_id
    FROM unnest(%(channel_ids)s::bigint[]) AS c (id)
    CROSS JOIN unnest(%(user_ids)s::bigint[]) AS u (id)
    CROSS JOIN LATERAL (SELECT FROM memberships WHERE channel_id = c.id AND user_id = u.id LIMIT 1) m
"""

# The same for many pairs.
MEMBERS_AMONG = """
    SELECT channel_id, user_id
    FROM memberships
    WHERE channel_id = ANY(%(channel_ids)s::bigint[]) AND user_id = ANY(%(user_ids)s::bigint[])
"""
