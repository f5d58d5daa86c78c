"""The data that requests are about: rows in the database, entries in the recorder."""

from __future__ import annotations

import io
import secrets
from dataclasses import dataclass
from typing import Any

import orjson
import psycopg
from PIL import Image
from servicekit.facts import LOG_CAP

from benchmarks.stack import BenchStack
from plumbline.verification.throwaway import through_caddy, wait_until

PAGE = 100
"""Number of rows on a page of every list."""
LABELS = 4
PASSWORD = "one password for all users"  # noqa: S105  # of a database that is deleted afterwards
_TIMEOUT_S = 30

Connection = psycopg.Connection[Any]

LOG_LINE = (
    orjson.dumps(
        {
            "ts": "2026-01-22T20:58:57.123Z",
            "level": "error",
            "service": "backend",
            "logger": "backend.database",
            "message": "a statement took 12.3 s: INSERT INTO messages (channel_id, sender_id, content) VALUES ...",
            "request_id": "3f1c3f6c9d8b4b619f132d4d9ba1a1f0",
            "exception": None,
            "fields": {"method": "POST", "path": "/channels/1234/messages", "status": 503, "duration_s": 12.3},
        }
    )
    + b"\n"
)
"""An entry of the backend. One of Caddy's access log would not do: those of one status are counted, not kept."""


@dataclass(slots=True)
class World:
    """Ids that requests name."""

    user_id: int
    token: str
    channel_id: int = 0
    busy_channel_id: int = 0
    document_id: int = 0
    spare_document_id: int = 0
    template_id: int = 0
    picture: bytes = b""


def fill(stack: BenchStack, rows: int, elsewhere: int) -> World:
    """Fill an empty database; `stack` has to serve the backend. Returns the ids.

    `channel_id` has `rows` of everything (members, messages, documents, templates, jobs; `document_id` as many
    annotations, `spare_document_id` none), and there are `rows` public channels whose names begin with "listed".
    Another channel, which the same user is in, has `elsewhere` of everything, and there are as many other public
    channels.
    """
    user_id, token = _register(f"http://127.0.0.1:{stack.layout.ports['backend']}")
    world = World(user_id, token, picture=_picture())
    with stack.connect() as db:
        _people(db, max(rows, elsewhere))
        world.channel_id, world.busy_channel_id = _channels(db, user_id, rows, elsewhere)
        for channel_id, count in ((world.channel_id, rows), (world.busy_channel_id, elsewhere)):
            for statement in _THINGS:
                db.execute(statement, {"user_id": user_id, "channel_id": channel_id, "count": count, "labels": LABELS})
        world.document_id, world.spare_document_id = _documents(db, world.channel_id)
        world.template_id = _newest_template(db, world.channel_id)
        for document_id, count in (
            (world.document_id, rows),
            (_documents(db, world.busy_channel_id)[0], elsewhere),
        ):
            db.execute(_ANNOTATIONS, {"document_id": document_id, "user_id": user_id, "count": count})
        # Otherwise autovacuum would run while something is measured.
        db.execute("VACUUM ANALYZE")
    return world


def record(stack: BenchStack) -> None:
    """Fill the recorder; `stack` has to serve the log-sink."""
    url = f"http://127.0.0.1:{stack.layout.ports['log-sink']}"
    through_caddy("POST", f"{url}/ingest", data=LOG_LINE * LOG_CAP, timeout=_TIMEOUT_S).raise_for_status()

    def kept() -> bool:
        return len(through_caddy("GET", f"{url}/logs/entries", timeout=_TIMEOUT_S).json()["items"]) == LOG_CAP

    wait_until(kept, f"the recorder keeps {LOG_CAP} entries")


def _picture() -> bytes:
    """Return a PNG of a gradient, which takes a while to decode."""
    out = io.BytesIO()
    Image.radial_gradient("L").resize((640, 480)).convert("RGB").save(out, "PNG")
    return out.getvalue()


def _register(url: str) -> tuple[int, str]:
    person = {"username": f"bench-{secrets.token_hex(4)}", "password": PASSWORD}
    response = through_caddy("POST", f"{url}/auth/register", json=person, timeout=_TIMEOUT_S)
    response.raise_for_status()
    return int(response.json()["id"]), str(response.cookies["access_token"])


def _people(db: Connection, count: int) -> None:
    """Add people whose password is PASSWORD."""
    db.execute(
        """
        INSERT INTO users (username, display_name, password_hash)
        SELECT 'person-' || n, 'Person ' || n, password_hash
        FROM (SELECT password_hash FROM users WHERE NOT is_operator LIMIT 1) one, generate_series(1, %s) n
        """,
        (count,),
    )


def _channels(db: Connection, user_id: int, rows: int, elsewhere: int) -> tuple[int, int]:
    """Add the public channels and two that the user is a member of; return the ids of the two."""
    channel_id, busy_channel_id = (
        int(number)
        for (number,) in db.execute(
            """
            WITH made AS (
                INSERT INTO channels (name, type, created_by)
                VALUES ('#things', 'public', %(me)s), ('#other things', 'public', %(me)s)
                RETURNING id
            ), mine AS (
                INSERT INTO memberships (channel_id, user_id) SELECT id, %(me)s FROM made
            )
            SELECT id FROM made ORDER BY id
            """,
            {"me": user_id},
        )
    )
    db.execute(
        "INSERT INTO memberships (channel_id, user_id) "
        "SELECT %s, id FROM users WHERE username LIKE 'person-%%' LIMIT %s",
        (channel_id, rows),
    )
    for name, count in (("#other", elsewhere), ("#listed", rows)):
        db.execute(
            "INSERT INTO channels (name, type, created_by) "
            "SELECT %s || '-' || n, 'public', %s FROM generate_series(1, %s) n",
            (name, user_id, count),
        )
    return channel_id, busy_channel_id


def _documents(db: Connection, channel_id: int) -> tuple[int, int]:
    """Return the ids of a channel's newest document and of its oldest."""
    found = db.execute("SELECT max(id), min(id) FROM documents WHERE channel_id = %s", (channel_id,)).fetchone()
    return (int(found[0]), int(found[1])) if found else (0, 0)


def _newest_template(db: Connection, channel_id: int) -> int:
    found = db.execute("SELECT max(id) FROM templates WHERE channel_id = %s", (channel_id,)).fetchone()
    return int(found[0]) if found else 0


_THINGS = (
    """
    INSERT INTO messages (channel_id, sender_id, content)
    SELECT %(channel_id)s, %(user_id)s, 'Message ' || n || ', about as long as a usual message in a channel'
    FROM generate_series(1, %(count)s) n
    """,
    """
    WITH file AS (
        INSERT INTO document_contents (sha256, data) VALUES (repeat('0', 64), '')
        ON CONFLICT (sha256) DO UPDATE SET sha256 = excluded.sha256 RETURNING sha256
    )
    INSERT INTO documents (channel_id, uploaded_by, filename, media_type, size, sha256, page_widths, page_heights)
    SELECT %(channel_id)s, %(user_id)s, 'document-' || n || '.png', 'image/png', 4711, file.sha256, '{640}', '{480}'
    FROM file CROSS JOIN generate_series(1, %(count)s) n
    """,
    """
    WITH made AS (
        INSERT INTO templates (channel_id, name, created_by)
        SELECT %(channel_id)s, 'Template ' || n, %(user_id)s FROM generate_series(1, %(count)s) n RETURNING id
    )
    INSERT INTO template_labels (template_id, position, name, label_type, colour, page, box_x, box_y, box_width,
                                 box_height, required)
    SELECT made.id, n, 'Label ' || n, 'field', '#ffcc00', 1, 0.1, 0.2, 0.3, 0.1, false
    FROM made CROSS JOIN generate_series(1, %(labels)s) n
    """,
    """
    INSERT INTO batch_jobs (channel_id, template_id, total, created_by)
    SELECT %(channel_id)s, (SELECT max(id) FROM templates WHERE channel_id = %(channel_id)s), 5, %(user_id)s
    FROM generate_series(1, %(count)s) n
    """,
)
_ANNOTATIONS = """
    INSERT INTO annotations (document_id, page, box_x, box_y, box_width, box_height, label_type, label_name, colour,
                             created_by)
    SELECT %(document_id)s, 1, 10, 20, 30, 40, 'field', 'Total', '#ffcc00', %(user_id)s
    FROM generate_series(1, %(count)s)
"""
