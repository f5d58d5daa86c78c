"""What is in the database: one channel of everything with a given number of rows, and as many rows elsewhere."""

from __future__ import annotations

import io
import secrets
from dataclasses import dataclass, field
from typing import Any

import psycopg
from PIL import Image
from servicekit.facts import OPERATOR_USERNAME

from benchmarks.stack import BenchStack
from plumbline.verification.throwaway import through_caddy

PAGE = 100
"""Rows that every list answers."""
LABELS = 4
ITEMS = 5
PASSWORD = "password of everybody here"  # noqa: S105  # in a database that nobody keeps

Connection = psycopg.Connection[Any]


@dataclass(slots=True)
class World:
    """Ids of what requests are about. The defaults name nothing: enough to list the cases without a database."""

    user_id: int = 0
    token: str = ""
    operator_id: int = 0
    operator_token: str = ""
    friend_id: int = 0
    direct_id: int = 0
    channel_id: int = 0
    busy_channel_id: int = 0
    document_id: int = 0
    documents: list[int] = field(default_factory=lambda: [0])
    annotations: list[int] = field(default_factory=lambda: [0])
    templates: list[int] = field(default_factory=lambda: [0])
    batches: list[int] = field(default_factory=lambda: [0])
    picture: bytes = b""


def _picture(kind: str, width: int, height: int) -> bytes:
    """Return an image with something to decode: a gradient."""
    out = io.BytesIO()
    Image.radial_gradient("L").resize((width, height)).convert("RGB").save(out, kind)
    return out.getvalue()


def fill(stack: BenchStack, rows: int, elsewhere: int) -> World:
    """Fill an empty database; `stack` has to serve the backend. Returns what is there.

    `channel_id` has `rows` of everything (members, messages, documents, templates, jobs; its newest document as many
    annotations), and there are `rows` public channels whose names begin with "listed". Another channel, which the same
    user is in, has `elsewhere` of everything, and there are as many other public channels. The user is in three.
    """
    world = World(picture=_picture("PNG", 640, 480))
    url = f"http://127.0.0.1:{stack.layout.ports['backend']}"
    name = f"bench-{secrets.token_hex(4)}"
    world.user_id, world.token = _register(url, name)
    world.operator_id, world.operator_token = _log_in(url, OPERATOR_USERNAME, stack.operator_password)
    with stack.connect() as db:
        world.friend_id = _people(db, max(rows, elsewhere))
        _channels(db, world, rows, elsewhere)
        for channel_id, count in ((world.channel_id, rows), (world.busy_channel_id, elsewhere)):
            _things(db, world.user_id, channel_id, count)
        world.documents = _ids(db, "documents", world.channel_id)
        world.document_id = world.documents[0]
        db.execute(_CONTENTS, {"ids": world.documents, "data": world.picture, "thumbnail": _picture("WEBP", 320, 240)})
        db.execute(_ANNOTATIONS, {"document_id": world.document_id, "user_id": world.user_id, "count": rows})
        elsewhere_id = max(_ids(db, "documents", world.busy_channel_id), default=None)
        db.execute(_ANNOTATIONS, {"document_id": elsewhere_id, "user_id": world.user_id, "count": elsewhere})
        world.annotations = [
            number
            for (number,) in db.execute(
                "SELECT id FROM annotations WHERE document_id = %s ORDER BY id DESC LIMIT %s", (world.document_id, PAGE)
            )
        ]
        world.templates = _ids(db, "templates", world.channel_id)
        world.batches = _ids(db, "batch_jobs", world.channel_id)
        db.execute(_ITEMS, {"batches": world.batches, "documents": world.documents[:ITEMS]})
        # So that no autovacuum has reason to come in between.
        db.execute("VACUUM ANALYZE")
    return world


def _register(url: str, name: str) -> tuple[int, str]:
    response = through_caddy("POST", f"{url}/auth/register", json={"username": name, "password": PASSWORD}, timeout=30)
    response.raise_for_status()
    return int(response.json()["id"]), str(response.cookies["access_token"])


def _log_in(url: str, name: str, password: str) -> tuple[int, str]:
    response = through_caddy("POST", f"{url}/auth/login", data={"username": name, "password": password}, timeout=30)
    response.raise_for_status()
    return int(response.json()["user"]["id"]), str(response.json()["access_token"])


def _people(db: Connection, count: int) -> int:
    """Add people whose password is PASSWORD; return the first one's id."""
    row = db.execute(
        """
        WITH one AS (SELECT password_hash FROM users WHERE NOT is_operator LIMIT 1), made AS (
            INSERT INTO users (username, display_name, password_hash)
            SELECT 'person-' || n, 'Person ' || n, password_hash FROM one, generate_series(1, %s) n RETURNING id
        )
        SELECT min(id) FROM made
        """,
        (count,),
    ).fetchone()
    return int(row[0]) if row else 0


def _channels(db: Connection, world: World, rows: int, elsewhere: int) -> None:
    """Add the two channels of things, the direct one, and the public ones. The user is in the first three."""
    people = {"me": world.user_id, "friend": world.friend_id}
    world.channel_id, world.busy_channel_id, world.direct_id = (
        number
        for (number,) in db.execute(
            """
            WITH made AS (
                INSERT INTO channels (name, type, direct_key, created_by)
                VALUES ('#things', 'public', NULL, %(me)s), ('#other things', 'public', NULL, %(me)s),
                       ('two', 'private', least(%(me)s, %(friend)s) || ':' || greatest(%(me)s, %(friend)s), %(me)s)
                RETURNING id
            ), mine AS (
                INSERT INTO memberships (channel_id, user_id) SELECT id, %(me)s FROM made
            )
            SELECT id FROM made ORDER BY id
            """,
            people,
        )
    )
    db.execute(
        "INSERT INTO memberships (channel_id, user_id) "
        "SELECT %s, id FROM users WHERE username LIKE 'person-%%' LIMIT %s",
        (world.channel_id, rows),
    )
    for name, count in (("#other", elsewhere), ("#listed", rows)):
        db.execute(
            "INSERT INTO channels (name, type, created_by) "
            "SELECT %s || '-' || n, 'public', %s FROM generate_series(1, %s) n",
            (name, world.user_id, count),
        )


def _things(db: Connection, user_id: int, channel_id: int, count: int) -> None:
    for statement in _THINGS:
        db.execute(statement, {"user_id": user_id, "channel_id": channel_id, "count": count, "labels": LABELS})


def _ids(db: Connection, table: str, channel_id: int) -> list[int]:
    found = db.execute(
        f"SELECT id FROM {table} WHERE channel_id = %s ORDER BY id DESC LIMIT %s",  # noqa: S608
        (channel_id, PAGE),
    )
    return [number for (number,) in found]


_THINGS = (
    """
    INSERT INTO messages (channel_id, sender_id, content)
    SELECT %(channel_id)s, %(user_id)s, 'Message ' || n || ': as long as what people tell each other in a channel'
    FROM generate_series(1, %(count)s) n
    """,
    """
    INSERT INTO documents (channel_id, uploaded_by, filename, media_type, size, sha256, page_widths, page_heights)
    SELECT %(channel_id)s, %(user_id)s, 'document-' || n || '.png', 'image/png', 4711,
           repeat(lpad(to_hex(n), 8, '0'), 8), '{640}', '{480}'
    FROM generate_series(1, %(count)s) n
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
_CONTENTS = """
    WITH sized AS (
        UPDATE documents SET size = length(%(data)s::bytea) WHERE id = ANY(%(ids)s) RETURNING id
    )
    INSERT INTO document_contents (document_id, data, thumbnail) SELECT id, %(data)s, %(thumbnail)s FROM sized
"""
_ANNOTATIONS = """
    INSERT INTO annotations (document_id, page, box_x, box_y, box_width, box_height, label_type, label_name, colour,
                             created_by)
    SELECT %(document_id)s, 1, 10, 20, 30, 40, 'field', 'Total', '#ffcc00', %(user_id)s
    FROM generate_series(1, %(count)s) WHERE %(document_id)s::bigint IS NOT NULL
"""
_ITEMS = """
    INSERT INTO batch_items (batch_job_id, position, document_id, filename)
    SELECT batch, position, document, 'document.png'
    FROM unnest(%(batches)s::bigint[]) batch, unnest(%(documents)s::bigint[]) WITH ORDINALITY d (document, position)
"""
