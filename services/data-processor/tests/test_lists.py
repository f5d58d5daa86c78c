"""The cost of a page does not grow with other channels: EXPLAIN of the service's own statements."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from data_processor.annotations.selectors import annotation_list
from data_processor.batches.selectors import batch_list
from data_processor.database import statements
from data_processor.documents.selectors import document_list
from data_processor.templates.selectors import template_list
from data_processor.web.pages import Page
from data_processor_testkit.service import Service

Ids = dict[str, int]

PAGE = Page(before=2**63 - 1, limit=50)
ROWS = 5000
LISTS: dict[str, tuple[str, Callable[[Ids], object]]] = {
    "documents": (
        "documents",
        lambda ids: document_list(channel_id=ids["quiet"], user_id=ids["user"], page=PAGE),
    ),
    "annotations": (
        "annotations",
        lambda ids: annotation_list(document_id=ids["document"], user_id=ids["user"], page=PAGE),
    ),
    "templates": (
        "templates",
        lambda ids: template_list(channel_id=ids["quiet"], user_id=ids["user"], page=PAGE),
    ),
    "templates of all channels": (
        "templates",
        lambda ids: template_list(channel_id=None, user_id=ids["user"], page=PAGE),
    ),
    "jobs": (
        "batch_jobs",
        lambda ids: batch_list(channel_id=ids["quiet"], user_id=ids["user"], page=PAGE),
    ),
    "jobs of all channels": (
        "batch_jobs",
        lambda ids: batch_list(channel_id=None, user_id=ids["user"], page=PAGE),
    ),
}


@pytest.fixture(scope="module")
def quiet(migrated: Service) -> Iterator[tuple[psycopg.Connection[Any], Ids]]:
    """A quiet channel and a busy one with newer rows, equally many in each; deleted after these tests.

    On the average of what the planner knows, reading everything backwards finds a page of either soon.
    """
    with psycopg.connect(migrated.postgres.conninfo) as connection:
        # No other rows, because they would change the average.
        connection.execute("TRUNCATE documents, templates, batch_jobs CASCADE")
        ((user,),) = connection.execute(
            "INSERT INTO users (username, display_name, password_hash) VALUES ('listing', 'x', 'x') RETURNING id"
        )
        channels = [
            number
            for (number,) in connection.execute(
                "INSERT INTO channels (name, type) VALUES ('#quiet', 'public'), ('#busy', 'public') RETURNING id"
            )
        ]
        documents = [_fill(connection, channel, user) for channel in channels]
        connection.execute(
            "INSERT INTO memberships (channel_id, user_id) SELECT unnest(%s::bigint[]), %s", (channels, user)
        )
        connection.execute("ANALYZE")
        yield connection, {"user": user, "quiet": channels[0], "document": documents[0]}
        connection.rollback()


def _fill(connection: psycopg.Connection[Any], channel: int, user: int) -> int:
    given = {"channel": channel, "user": user, "rows": ROWS}
    connection.execute(
        """
        INSERT INTO templates (channel_id, name, created_by)
        SELECT %(channel)s, 'Template ' || n, %(user)s FROM generate_series(1, %(rows)s) n
        """,
        given,
    )
    connection.execute(
        """
        INSERT INTO batch_jobs (channel_id, total, created_by)
        SELECT %(channel)s, 1, %(user)s FROM generate_series(1, %(rows)s)
        """,
        given,
    )
    ((document,),) = connection.execute(
        """
        WITH made AS (
            INSERT INTO documents (channel_id, uploaded_by, filename, media_type, size, sha256, page_widths,
                                   page_heights)
            SELECT %(channel)s, %(user)s, 'one.png', 'image/png', 1, repeat('0', 64), '{100}', '{100}'
            FROM generate_series(1, %(rows)s) RETURNING id
        )
        SELECT max(id) FROM made
        """,
        given,
    )
    connection.execute(
        """
        INSERT INTO annotations (document_id, page, box_x, box_y, box_width, box_height, label_type, label_name, colour,
                                 created_by)
        SELECT %(document)s, 1, 1, 1, 1, 1, 'field', 'Total', '#ffcc00', %(user)s FROM generate_series(1, %(rows)s)
        """,
        {**given, "document": document},
    )
    return int(document)


@pytest.mark.parametrize("name", LISTS)
def test_a_busy_channel_does_not_slow_down_a_quiet_one(
    quiet: tuple[psycopg.Connection[Any], Ids], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection, ids = quiet
    table, ask = LISTS[name]
    plans: list[dict[str, Any]] = []

    def explain(statement: str, parameters: dict[str, Any]) -> list[Any]:
        ((found,),) = connection.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}".encode(), parameters)
        plans.append(found[0]["Plan"])
        return [{"member": ids["user"], "of_channel": ids["quiet"], "id": None, "labels": "[]"}]

    monkeypatch.setattr(statements, "rows", explain)
    ask(ids)

    read = sum(
        node["Actual Loops"] * (node["Actual Rows"] + node.get("Rows Removed by Filter", 0))
        for node in _nodes(plans[0])
        if node.get("Relation Name") == table
    )
    # The list of all channels reads a page of each of the two.
    assert 0 < read <= 2 * PAGE.probe, plans


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)
