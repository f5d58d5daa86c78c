"""The old stack lost its data at every restart. This one keeps them, to the byte."""

from __future__ import annotations

from typing import Any

import psycopg

from plumbline import identity
from plumbline.checks import rows, samples
from plumbline.checks.client import User
from plumbline.targets.base import Target

RESTARTED = ("postgres", "log-sink", "backend", "data-processor")
TABLES = ("users", "channels", "memberships", "messages", "documents", "document_contents", "annotations", "templates",
          "template_labels", "batch_jobs", "batch_items")  # fmt: skip


def digests(database: psycopg.Connection[dict[str, Any]]) -> dict[str, Any]:
    """Return count and hash of every table's rows, values and bytes included."""
    hashes = "string_agg(md5(t::text), '' ORDER BY md5(t::text))"
    query = f"SELECT count(*) AS rows, md5(coalesce({hashes}, '')) AS hash FROM {{}} t"
    return {
        table: database.execute(psycopg.sql.SQL(query).format(psycopg.sql.Identifier(table))).fetchone()
        for table in TABLES
    }


def test_everything_is_still_there_after_a_restart(target: Target, alice: User) -> None:
    channel = alice.create_channel("private")
    message = alice.post(f"/channels/{channel['id']}/messages", {"content": "remember me"}).expect(201)
    content = samples.pdf("Remember me")
    document = alice.upload(channel["id"], "kept.pdf", content).expect(201)
    path = f"/data-processor/documents/{document['id']}/"
    box = {"x": 1, "y": 2, "width": 3, "height": 4}
    annotation = alice.post(
        f"{path}annotations/", {"page": 1, "bounding_box": box, "label_type": "field", "label_name": "kept"}
    ).expect(201)
    with rows.connect(target.stack()) as database:
        before = digests(database)

    target.stop(*RESTARTED)
    stopped = {name: target.component(name).state for name in RESTARTED}
    target.start(*RESTARTED)

    assert stopped == dict.fromkeys(RESTARTED, "stopped")
    stack = target.stack()
    assert identity.compare(stack.base_url, stack.stack_id) == []
    with rows.connect(stack) as database:
        assert digests(database) == before
    assert alice.get(f"/channels/{channel['id']}/messages").expect(200)["items"][-1]["id"] == message["id"]
    assert alice.get(f"{path}content").body == content
    assert alice.get(f"{path}annotations/{annotation['id']}/").expect(200)["bounding_box"] == box
