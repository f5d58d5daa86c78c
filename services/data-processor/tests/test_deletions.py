"""The effects of deleting a channel, and of deleting a user."""

from __future__ import annotations

from typing import Any

from data_processor_testkit import samples
from data_processor_testkit.service import Person, Service

BOX = {"x": 1, "y": 2, "width": 3, "height": 4}
TABLES = ("documents", "document_contents", "annotations", "templates", "template_labels", "batch_jobs", "batch_items")


def furnish(service: Service, person: Person, channel: int, document: dict[str, Any]) -> dict[str, int]:
    """Create one object of each kind for `document` as `person`; return the ids."""
    mark = {"page": 1, "bounding_box": BOX, "label_type": "field", "label_name": "sum"}
    annotation = person.post(f"documents/{document['id']}/annotations/", json=mark).json()
    label = {
        "name": "sum", "label_type": "field", "colour": "#112233", "page": 1, "required": True,
        "bounding_box": {"x": 0.1, "y": 0.2, "width": 0.3, "height": 0.05}, "expected_format": None,
    }  # fmt: skip
    template = person.post("templates/", json={"channel_id": channel, "name": "T", "labels": [label]}).json()
    return {
        "documents": document["id"], "annotations": annotation["id"], "templates": template["id"],
        "batch_jobs": service.record_job(person, channel, template["id"], [document["id"]]),
    }  # fmt: skip


def counts(service: Service) -> dict[str, int]:
    return {table: service.rows(f"SELECT count(*) FROM {table}")[0][0] for table in TABLES}


def test_deleting_a_channel_deletes_its_content(
    service: Service, person: Person, channel: int, document: dict[str, Any]
) -> None:
    other = person.create_channel()
    before = counts(service)
    furnish(service, person, channel, document)
    furnish(service, person, other, dict(person.upload(other, samples.image(size=(50, 30))).json()))
    with service.database() as database:
        for one in (channel, other):
            database.execute("DELETE FROM channels WHERE id = %s", (one,))
    assert counts(service) == before | {
        "documents": before["documents"] - 1,
        "document_contents": service.rows("SELECT count(DISTINCT sha256) FROM documents")[0][0],
    }  # fmt: skip


def test_a_deletion_reads_no_rows_of_other_channels(
    service: Service, person: Person, channel: int, document: dict[str, Any]
) -> None:
    furnish(service, person, channel, document)
    with service.database() as database, database.transaction(force_rollback=True):
        # Then Postgres reads a whole table only where no index leads to the rows.
        database.execute("SET LOCAL enable_seqscan = off")
        database.execute("DELETE FROM channels WHERE id = %s", (channel,))
        database.execute("SET CONSTRAINTS ALL IMMEDIATE")
        read = database.execute("SELECT relname, seq_scan FROM pg_stat_xact_user_tables WHERE seq_scan > 0").fetchall()
    assert read == []


def test_content_of_a_deleted_user_stays_without_a_name(
    service: Service, person: Person, channel: int, document: dict[str, Any]
) -> None:
    friend = Person(service)
    friend.join(channel)
    made = furnish(service, person, channel, document)
    before = counts(service)
    with service.database() as database:
        database.execute("DELETE FROM users WHERE id = %s", (person.id,))
    assert counts(service) == before
    paths = {
        f"documents/{made['documents']}/": "uploaded_by",
        f"documents/{made['documents']}/annotations/{made['annotations']}/": "created_by",
        f"templates/{made['templates']}/": "created_by",
        f"batch/{made['batch_jobs']}/": "created_by",
    }
    for path, author in paths.items():
        shown = friend.get(path)
        assert (shown.status_code, shown.json()[author]) == (200, None), path
    assert friend.get(f"documents/{made['documents']}/content").status_code == 200
