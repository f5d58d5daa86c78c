"""All data survives a restart.

Protects from data that is lost with a restart.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import psycopg
import pytest

from plumbline import identity
from plumbline.targets.base import Target
from plumbline.verification.checks import batches, rows, samples
from plumbline.verification.checks.client import User
from plumbline.verification.checks.created import PREFIX
from plumbline.verification.checks.reading import wait_until_read

RESTARTED = ("postgres", "log-sink", "backend", "data-processor")
TABLES = ("users", "channels", "memberships", "messages", "documents", "document_contents", "page_texts", "annotations",
          "templates", "template_labels", "batch_jobs", "batch_items")  # fmt: skip


def digests(database: psycopg.Connection[dict[str, Any]]) -> dict[str, Any]:
    """Return the row count and a hash of all rows, by table."""
    hashes = "string_agg(md5(t::text), '' ORDER BY md5(t::text))"
    query = f"SELECT count(*) AS rows, md5(coalesce({hashes}, '')) AS hash FROM {{}} t"
    return {
        table: database.execute(psycopg.sql.SQL(query).format(psycopg.sql.Identifier(table))).fetchone()
        for table in TABLES
    }


def create_content(user: User) -> dict[str, Any]:
    """Create one of everything; return the current answer of each URL."""
    channel = user.create_channel("private")
    user.post(f"/channels/{channel['id']}/messages", {"content": "remember me"}).expect(201)
    paths = [f"/channels/{channel['id']}/{part}" for part in ("messages", "members")]
    documents = []
    for name, content in (
        (f"{PREFIX}kept.pdf", samples.pdf("Remember me")),
        (f"{PREFIX}kept.png", samples.png(seed=9)),
    ):
        document = user.upload(channel["id"], name, content).expect(201)
        documents.append(document["id"])
        path = f"/data-processor/documents/{document['id']}/"
        box = {"x": 1, "y": 2, "width": 3, "height": 4}
        user.post(
            f"{path}annotations/", {"page": 1, "bounding_box": box, "label_type": "field", "label_name": "kept"}
        ).expect(201)
        wait_until_read(user, document["id"])
        paths += [path, f"{path}content", f"{path}annotations/", f"{path}pages/1/text"]
        assert user.get(f"{path}content").body == content
    label = {"name": "total", "label_type": "field", "colour": "#112233", "page": 1, "required": True,
             "bounding_box": {"x": 0.1, "y": 0.2, "width": 0.3, "height": 0.05}, "expected_format": None}  # fmt: skip
    template = user.post(
        "/data-processor/templates/", {"channel_id": channel["id"], "name": f"{PREFIX}kept", "labels": [label]}
    ).expect(201)
    body = {"channel_id": channel["id"], "template_id": template["id"], "document_ids": documents}
    job = user.post(batches.JOBS, body).expect(202)["id"]
    batches.wait_ended(user, job)
    paths += [f"/data-processor/templates/{template['id']}/", f"{batches.JOBS}{job}/", f"{batches.JOBS}{job}/items/"]
    return answers(user, paths)


def answers(user: User, paths: Iterable[str]) -> dict[str, Any]:
    """Return status and body by URL."""
    return {path: (answer.status, answer.body) for path in paths for answer in [user.get(path)]}


@pytest.mark.disrupt
def test_all_data_survives_a_restart(target: Target, alice: User) -> None:
    shown = create_content(alice)
    with rows.connect(target.stack()) as database:
        before = digests(database)

    target.stop(*RESTARTED)
    stopped = {name: target.component(name).state for name in RESTARTED}
    target.start(*RESTARTED)

    assert stopped == dict.fromkeys(RESTARTED, "stopped")
    stack = target.stack()
    assert identity.compare(stack.base_url, stack.stack_id, 30) == []
    with rows.connect(stack) as database:
        assert digests(database) == before
    assert {status for status, _ in shown.values()} == {200}
    assert answers(alice, shown) == shown
    alice.login().expect(200)
