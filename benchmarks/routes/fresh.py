"""Rows that are there to be used up, each by one call: see `case.Values`."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, LiteralString

from benchmarks.dataset import Connection, World
from benchmarks.routes.case import Values


def cycle(numbers: Sequence[int]) -> Values:
    """Use the same rows again and again, neighbouring calls different ones."""
    return lambda _db, count: list(itertools.islice(itertools.cycle(numbers), count))


def never_used() -> Values:
    """Return numbers that no call had before."""
    counter = itertools.count(1)
    return lambda _db, count: list(itertools.islice(counter, count))


def _made(statement: LiteralString, **parameters: Any) -> Values:
    def values(db: Connection, count: int) -> list[int]:
        return [number for (number,) in db.execute(statement, {"count": count, **parameters})]

    return values


def people() -> Values:
    """Make users who are members of nothing."""
    return _made("""
        INSERT INTO users (username, display_name, password_hash)
        SELECT gen_random_uuid(), 'Somebody', 'none' FROM generate_series(1, %(count)s) RETURNING id
    """)


def channels(member_id: int | None = None) -> Values:
    """Make public channels, created by that user and with that user in them."""
    return _made(
        """
        WITH made AS (
            INSERT INTO channels (name, type, created_by)
            SELECT '#' || gen_random_uuid(), 'public', %(member_id)s::bigint FROM generate_series(1, %(count)s)
            RETURNING id
        ), members AS (
            INSERT INTO memberships (channel_id, user_id)
            SELECT id, %(member_id)s FROM made WHERE %(member_id)s::bigint IS NOT NULL
        )
        SELECT id FROM made
        """,
        member_id=member_id,
    )


def documents(world: World) -> Values:
    """Make documents without a thumbnail."""
    return _made(
        """
        WITH made AS (
            INSERT INTO documents (channel_id, uploaded_by, filename, media_type, size, sha256, page_widths,
                                   page_heights)
            SELECT %(channel_id)s, %(user_id)s, 'one.png', 'image/png', length(%(data)s::bytea), repeat('0', 64),
                   '{640}', '{480}'
            FROM generate_series(1, %(count)s) RETURNING id
        ), contents AS (
            INSERT INTO document_contents (document_id, data) SELECT id, %(data)s FROM made
        )
        SELECT id FROM made
        """,
        channel_id=world.busy_channel_id,
        user_id=world.user_id,
        data=world.picture,
    )


def annotations(world: World) -> Values:
    """Make annotations."""
    return _made(
        """
        INSERT INTO annotations (document_id, page, box_x, box_y, box_width, box_height, label_type, label_name, colour,
                                 created_by)
        SELECT %(document_id)s, 1, 10, 20, 30, 40, 'field', 'Total', '#ffcc00', %(user_id)s
        FROM generate_series(1, %(count)s) RETURNING id
        """,
        document_id=world.documents[-1],
        user_id=world.user_id,
    )


def templates(world: World) -> Values:
    """Make templates with two labels."""
    return _made(
        """
        WITH made AS (
            INSERT INTO templates (channel_id, name, created_by)
            SELECT %(channel_id)s, gen_random_uuid(), %(user_id)s FROM generate_series(1, %(count)s) RETURNING id
        ), labels AS (
            INSERT INTO template_labels (template_id, position, name, label_type, colour, page, box_x, box_y, box_width,
                                         box_height, required)
            SELECT made.id, n, 'Label ' || n, 'field', '#ffcc00', 1, 0.1, 0.2, 0.3, 0.1, false
            FROM made CROSS JOIN generate_series(1, 2) n
        )
        SELECT id FROM made
        """,
        channel_id=world.busy_channel_id,
        user_id=world.user_id,
    )
