"""Equal files are stored once, and are there as long as one document needs them."""

from __future__ import annotations

import hashlib
import secrets
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from data_processor_testkit import samples
from data_processor_testkit.service import Person, Service, refusal

from plumbline.verification.throwaway import throwaway_postgres, wait_until

CONTENTS = "SELECT count(*) FROM document_contents WHERE sha256 = %s"
WAITING = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query ILIKE %s"
STORE = """
    WITH stored AS (
        INSERT INTO document_contents (sha256, data) VALUES (%(sha256)s, %(data)s)
        ON CONFLICT (sha256) DO UPDATE SET sha256 = excluded.sha256 RETURNING sha256
    )
    INSERT INTO documents (channel_id, filename, media_type, size, sha256, page_widths, page_heights)
    SELECT %(channel)s, 'f', 'image/png', length(%(data)s), sha256, '{1}', '{1}' FROM stored RETURNING id
"""


@pytest.fixture
def data() -> bytes:
    """A file that no document has yet."""
    return samples.image() + secrets.token_bytes(16)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_equal_files_share_their_bytes_and_nothing_else(service: Service, person: Person, data: bytes) -> None:
    other = Person(service)
    mine, theirs = (one.upload(one.create_channel(), data, f"{one.name}.png").json() for one in (person, other))
    assert mine["filename"] != theirs["filename"]
    assert service.rows(CONTENTS, digest(data)) == [(1,)]
    refusal(other.get(f"documents/{mine['id']}/content"), 403, "not_a_member")
    refusal(other.get(f"documents/{mine['id']}/thumbnail"), 403, "not_a_member")

    assert person.get(f"documents/{mine['id']}/thumbnail").status_code == 200
    assert person.call("DELETE", f"documents/{mine['id']}/").status_code == 204
    assert other.get(f"documents/{theirs['id']}/content").content == data
    assert other.get(f"documents/{theirs['id']}/thumbnail").status_code == 200
    assert other.call("DELETE", f"documents/{theirs['id']}/").status_code == 204
    assert service.rows(CONTENTS, digest(data)) == [(0,)]


def test_deleting_a_channel_keeps_what_others_need(service: Service, person: Person, data: bytes) -> None:
    room, other = person.create_channel(), person.create_channel()
    for _ in range(2):
        person.upload(room, data)
    kept = person.upload(other, data).json()["id"]
    with service.database() as database:
        database.execute("DELETE FROM channels WHERE id = %s", (room,))
        assert person.get(f"documents/{kept}/content").content == data
        database.execute("DELETE FROM channels WHERE id = %s", (other,))
    assert service.rows(CONTENTS, digest(data)) == [(0,)]


def test_a_deletion_waits_for_an_upload_of_the_same_file(
    service: Service, person: Person, channel: int, data: bytes
) -> None:
    old = person.upload(channel, data).json()["id"]
    values = {"sha256": digest(data), "data": data, "channel": channel}
    with ThreadPoolExecutor(1) as pool, psycopg.connect(service.postgres.conninfo) as upload:
        (new,) = upload.execute(STORE, values).fetchone()  # type: ignore[misc]
        deletion = pool.submit(person.call, "DELETE", f"documents/{old}/")
        wait_until(lambda: service.rows(WAITING, "%DELETE FROM documents%"), "the deletion waits")
        upload.commit()
        assert deletion.result().status_code == 204
    assert person.get(f"documents/{new}/content").content == data


def test_an_upload_waits_for_the_deletion_of_the_same_file(
    service: Service, person: Person, channel: int, data: bytes
) -> None:
    old = person.upload(channel, data).json()["id"]
    with ThreadPoolExecutor(1) as pool, psycopg.connect(service.postgres.conninfo) as deletion:
        deletion.execute("DELETE FROM documents WHERE id = %s", (old,))
        upload = pool.submit(person.upload, channel, data)
        wait_until(lambda: service.rows(WAITING, "%INSERT INTO document_contents%"), "the upload waits")
        deletion.commit()
        new = upload.result()
    assert new.status_code == 201
    assert person.get(f"documents/{new.json()['id']}/content").content == data
    assert service.rows(CONTENTS, digest(data)) == [(1,)]


def test_concurrent_uploads_and_deletions_leave_what_is_needed(service: Service, data: bytes) -> None:
    people = [Person(service) for _ in range(3)]
    rooms = {one: one.create_channel() for one in people}

    def work(one: Person) -> dict[str, Any]:
        for _ in range(6):
            document = one.upload(rooms[one], data)
            assert document.status_code == 201, document.text
            deleted = one.call("DELETE", f"documents/{document.json()['id']}/")
            assert deleted.status_code == 204, deleted.text
        return dict(one.upload(rooms[one], data).json())

    with ThreadPoolExecutor(len(people)) as pool:
        last = list(pool.map(work, people))
    assert service.rows(CONTENTS, digest(data)) == [(1,)]
    for one, document in zip(people, last, strict=True):
        assert one.get(f"documents/{document['id']}/content").content == data
        with service.database() as database:
            database.execute("DELETE FROM channels WHERE id = %s", (rooms[one],))
    assert service.rows(CONTENTS, digest(data)) == [(0,)]


def _migrate_to(service: Service, migration: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "django", "migrate", "data_processor", migration],
        env=service.environment | {"DJANGO_SETTINGS_MODULE": "data_processor.settings"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_the_migration_keeps_every_document_and_goes_back(tmp_path: Any) -> None:
    folder = tmp_path / "service"
    folder.mkdir()
    with throwaway_postgres() as server:
        service = Service(server, "redis://127.0.0.1:1/0", folder)
        service.migrate()
        _migrate_to(service, "0003")
        ((channel,),) = service.rows("INSERT INTO channels (name, type) VALUES ('#files', 'public') RETURNING id")
        files = [b"one", b"two", b"one", b"one", b"three"]
        for number, data in enumerate(files, 1):
            service.rows(
                "WITH d AS (INSERT INTO documents (channel_id, filename, media_type, size, sha256, page_widths,"
                " page_heights) VALUES (%s, %s, 'image/png', 3, %s, '{1}', '{1}') RETURNING id)"
                " INSERT INTO document_contents (document_id, data) SELECT id, %s FROM d RETURNING document_id",
                channel, str(number), digest(data), data,
            )  # fmt: skip
        stored = "SELECT d.filename, c.data FROM documents d JOIN document_contents c ON {} ORDER BY d.id"
        by_document, by_hash = stored.format("c.document_id = d.id"), stored.format("c.sha256 = d.sha256")
        before = service.rows(by_document)
        assert [data for _, data in before] == files

        assert service.run("migrate").returncode == 0
        assert service.rows(by_hash) == before
        assert service.rows("SELECT count(*) FROM document_contents") == [(3,)]
        # Documents of earlier releases are read, the newest first, and after everything that is newer.
        jobs = "SELECT (args->>'document_id')::int, queue_name, priority FROM procrastinate_jobs ORDER BY id"
        waiting = [(number, f"channel {channel}", -100_000) for number in range(len(files), 0, -1)]
        assert service.rows(jobs) == waiting
        _migrate_to(service, "0003")
        assert service.rows(by_document) == before
