"""Tables that grow around a user whose own documents, templates and jobs stay the same."""

from __future__ import annotations

from typing import Any

import psycopg

Connection = psycopg.Connection[tuple[Any, ...]]

SESSION = "1f8fad5b-d9cb-469f-a165-70867728950e"
HASH = "1" * 64
TABLES = (
    "users", "channels", "memberships", "sessions", "idempotency_keys", "events", "document_contents", "documents",
    "page_texts", "annotations", "templates", "template_labels", "template_anchors", "batch_jobs", "batch_items",
    "procrastinate_jobs", "procrastinate_workers",
)  # fmt: skip

_USER = """
    WITH me AS (
        INSERT INTO users (username, display_name, password_hash) VALUES ('grower', 'x', 'x') RETURNING id
    ), own AS (
        INSERT INTO channels (name, type, created_by) SELECT name, 'public', id FROM me, unnest(ARRAY['#calm', '#full'])
        AS name RETURNING id, name
    ), member AS (
        INSERT INTO memberships (channel_id, user_id) SELECT own.id, me.id FROM own, me
    ), session AS (
        INSERT INTO sessions (id, user_id, version, expires_at)
        SELECT '1f8fad5b-d9cb-469f-a165-70867728950e', id, 0, now() + interval '1 day' FROM me
    )
    SELECT me.id, calm.id, busy.id FROM me, own calm, own busy WHERE calm.name = '#calm' AND busy.name = '#full'
"""
_MEMBERS = (
    """
    INSERT INTO users (username, display_name, password_hash)
    SELECT 'grown-' || n, 'x', 'x' FROM generate_series(%(from)s, %(to)s) n
    """,
    """
    INSERT INTO memberships (channel_id, user_id)
    SELECT %(channel)s, u.id FROM generate_series(%(from)s, %(to)s) n JOIN users u ON u.username = 'grown-' || n
    """,
    """
    INSERT INTO idempotency_keys (user_id, key, request, answer)
    SELECT u.id, n, '', '{}' FROM generate_series(%(from)s, %(to)s) n JOIN users u ON u.username = 'grown-' || n
    """,
    """
    INSERT INTO events (channel_id, frame) SELECT %(channel)s, '{}' FROM generate_series(%(from)s, %(to)s)
    """,
)
_THINGS = (
    """
    INSERT INTO document_contents (sha256, data)
    SELECT encode(sha256((%(channel)s || ' ' || n)::bytea), 'hex'), 'x' FROM generate_series(%(from)s, %(to)s) n
    """,
    """
    INSERT INTO documents (channel_id, uploaded_by, filename, media_type, size, sha256, page_widths, page_heights)
    SELECT %(channel)s, %(user)s, n || '.png', 'image/png', 1, encode(sha256((%(channel)s || ' ' || n)::bytea), 'hex'),
           '{100}', '{100}'
    FROM generate_series(%(from)s, %(to)s) n
    """,
    """
    INSERT INTO page_texts (document_id, page, engine, angle, words, text)
    SELECT d.id, 1, 'none', 0, '[]', 'x' FROM documents d
    WHERE d.channel_id = %(channel)s AND NOT EXISTS (SELECT FROM page_texts p WHERE p.document_id = d.id)
    """,
    """
    WITH made AS (
        INSERT INTO templates (channel_id, name, created_by, source_document_id, source_page)
        SELECT %(channel)s, 'Template ' || n, %(user)s, d.id, 1
        FROM generate_series(%(from)s, %(to)s) n
        JOIN documents d ON d.channel_id = %(channel)s AND d.filename = n || '.png'
        RETURNING id
    ), anchors AS (
        INSERT INTO template_anchors (template_id, page, width, height, words) SELECT id, 1, 1, 1, '[]' FROM made
    )
    INSERT INTO template_labels (template_id, position, name, label_type, colour, page, box_x, box_y, box_width,
                                 box_height, required)
    SELECT made.id, n, 'Label ' || n, 'field', '#ffcc00', 1, 0.1, 0.2, 0.3, 0.1, false
    FROM made CROSS JOIN generate_series(1, 3) n
    """,
    # All of one template, which the user has, too.
    """
    INSERT INTO annotations (document_id, page, box_x, box_y, box_width, box_height, label_type, label_name, colour,
                             created_by, template_id, template_label_id, value_type)
    SELECT d.id, 1, 1, 1, 1, 1, 'field', 'Total', '#ffcc00', %(user)s, l.template_id, l.id, 'text'
    FROM generate_series(%(from)s, %(to)s) n
    JOIN documents d ON d.channel_id = %(channel)s AND d.filename = n || '.png'
    JOIN template_labels l ON l.template_id = (SELECT min(id) FROM templates WHERE channel_id = %(calm)s)
    """,
    """
    WITH made AS (
        INSERT INTO batch_jobs (channel_id, template_id, total, created_by)
        SELECT %(channel)s, (SELECT min(id) FROM templates WHERE channel_id = %(calm)s), 1, %(user)s
        FROM generate_series(%(from)s, %(to)s) RETURNING id
    ), numbered AS (
        SELECT id, %(from)s + row_number() OVER () - 1 AS n FROM made
    )
    INSERT INTO batch_items (batch_job_id, position, document_id, filename)
    SELECT j.id, 1, d.id, d.filename FROM numbered j
    JOIN documents d ON d.channel_id = %(channel)s AND d.filename = j.n || '.png'
    """,
    """
    INSERT INTO procrastinate_jobs (queue_name, task_name, args, priority)
    SELECT 'channel ' || %(channel)s, 'read_document', jsonb_build_object('document_id', d.id, 'again', false), 1
    FROM generate_series(%(from)s, %(to)s) n
    JOIN documents d ON d.channel_id = %(channel)s AND d.filename = n || '.png'
    """,
)
_JOB = """
    WITH worker AS (
        INSERT INTO procrastinate_workers DEFAULT VALUES RETURNING id
    )
    INSERT INTO procrastinate_jobs (queue_name, task_name, args, status, worker_id)
    SELECT 'own', 'apply_item', '{}', 'doing', id FROM worker RETURNING id, worker_id
"""
_OWN = 30
"""Rows of everything in the calm channel: less than a page."""


def plant(database: Connection) -> dict[str, int]:
    """Add the user with what stays the same; return the ids."""
    ((user, calm, busy),) = database.execute(_USER).fetchall()
    found = {"user": int(user), "calm": int(calm), "full": int(busy)}
    _add(database, _THINGS, found, "calm", 1, _OWN)
    ((found["job"], found["worker"]),) = database.execute(_JOB).fetchall()
    for name, query, of in (
        ("document", "SELECT min(id) FROM documents WHERE channel_id = %s", "calm"),
        ("template", "SELECT min(id) FROM templates WHERE channel_id = %s", "calm"),
        # One that nothing was made with: deleting another changes all that was.
        ("idle", "SELECT max(id) FROM templates WHERE channel_id = %s", "calm"),
        ("batch", "SELECT min(id) FROM batch_jobs WHERE channel_id = %s", "calm"),
        ("annotation", "SELECT min(id) FROM annotations WHERE document_id = %s", "document"),
        ("item", "SELECT min(id) FROM batch_items WHERE batch_job_id = %s", "batch"),
    ):
        ((found[name],),) = database.execute(query.encode(), (found[of],)).fetchall()
    return found


def grow(database: Connection, ids: dict[str, int], before: int, after: int) -> None:
    """Add the rows of others, from `before` to `after` of each table, and have Postgres count them."""
    _add(database, (*_MEMBERS, *_THINGS), ids, "full", before + 1, after)
    database.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
    for table in TABLES:
        database.execute(f"ANALYZE {table}".encode())


def _add(database: Connection, steps: tuple[str, ...], ids: dict[str, int], channel: str, low: int, high: int) -> None:
    given = {"from": low, "to": high, "channel": ids[channel], "calm": ids["calm"], "user": ids["user"]}
    with psycopg.ClientCursor(database) as cursor:
        for statement in steps:
            cursor.execute(statement.encode(), given)
