"""Backups of a real Postgres: of one moment, proven, and restored in one transaction."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from plumbline.backups import archive, backup
from plumbline.backups.archive import Archive
from plumbline.backups.store import Store
from plumbline.backups.streams import DiffersError
from plumbline.errors import PlumblineError
from plumbline.tests.backups.conftest import DatabaseTarget, full_disk
from plumbline.verification.throwaway import throwaway_postgres, unprivileged

ALL = "SELECT md5(string_agg(t::text, ',' ORDER BY id)), count(*) FROM things AS t"


def made(target: DatabaseTarget, reason: str = "manual") -> Archive:
    return backup.snapshot(target, target.stack(), reason)


def test_an_archive_says_what_is_in_it(target: DatabaseTarget) -> None:
    kept = archive.opened(made(target).path)
    assert kept.manifest.contents.revisions == {"backend": "0004_names"}
    tables = {one.name: one for one in kept.manifest.contents.tables}
    assert {name: one.rows for name, one in tables.items()} == {"alembic_version": 1, "things": 2000, '"Odd table"': 0}
    assert tables["things"].columns == ("id", "odd name", "data", "at", "half")
    assert kept.path.stat().st_mode & 0o777 == 0o600
    assert kept.path.parent.stat().st_mode & 0o777 == 0o700


def test_a_restore_brings_everything_back_as_it_was(target: DatabaseTarget) -> None:
    before = target.rows(ALL)
    kept = made(target)
    target.execute("DELETE FROM things WHERE id % 3 = 0; UPDATE things SET half = 0; CREATE TABLE later (id int)")
    backup.restored(target, archive.opened(kept.path))
    assert target.rows(ALL) == before
    assert target.rows("SELECT to_regclass('later')") == [(None,)]
    target.execute("INSERT INTO things DEFAULT VALUES")
    assert target.rows("SELECT max(id) FROM things") == [(2001,)]


def _tell(target: DatabaseTarget, count: int) -> list[int]:
    """Store events, and return their ids."""
    told = target.rows(f"INSERT INTO events (frame) SELECT '{{}}' FROM generate_series(1, {count}) RETURNING id")
    return [int(str(row[0])) for row in told]


def test_ids_of_events_go_on_where_the_clock_was_set_back(target: DatabaseTarget) -> None:
    target.execute("CREATE TABLE events (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, frame json)")
    kept = archive.opened(made(target).path)
    far = 2**52
    target.execute(f"SELECT setval('events_id_seq', {far})")
    backup.restored(target, kept)
    assert _tell(target, 1) == [far + 1]


def test_checksums_do_not_depend_on_the_order_of_rows_but_on_every_value(target: DatabaseTarget) -> None:
    first = made(target).manifest.contents
    target.execute("UPDATE things SET half = half WHERE id % 2 = 0")
    assert made(target).manifest.contents.expected() == first.expected()
    target.execute("UPDATE things SET half = half + 1e-9 WHERE id = 77")
    assert made(target).manifest.contents.expected() != first.expected()


def test_a_backup_is_of_one_moment_while_others_write(target: DatabaseTarget) -> None:
    target.execute("CREATE TABLE twin (id bigint)")
    end = threading.Event()

    def write() -> None:
        with psycopg.connect(target.server.conninfo, autocommit=True) as connection:
            while not end.is_set():
                connection.execute(
                    "WITH new AS (INSERT INTO things DEFAULT VALUES RETURNING id) INSERT INTO twin SELECT id FROM new"
                )

    writer = threading.Thread(target=write)
    writer.start()
    try:
        kept = made(target)
    finally:
        end.set()
        writer.join()
    rows = {one.name: one.rows for one in kept.manifest.contents.tables}
    assert rows["things"] == 2000 + rows["twin"]
    backup.verify(target, archive.opened(kept.path))


def test_verification_leaves_the_database_and_no_folder(target: DatabaseTarget) -> None:
    kept = made(target)
    target.execute("DELETE FROM things")
    before = sorted(target.cluster.data.parent.iterdir())
    backup.verify(target, archive.opened(kept.path))
    assert target.rows("SELECT count(*) FROM things") == [(0,)]
    assert sorted(target.cluster.data.parent.iterdir()) == before


def _with_other_rows(kept: Archive) -> Archive:
    """Return an archive that is whole, and whose manifest promises another row."""
    contents = kept.manifest.contents
    tables = tuple(replace(one, rows=one.rows + 1) if one.name == "things" else one for one in contents.tables)
    manifest = replace(kept.manifest, contents=replace(contents, tables=tables))
    path = kept.path.with_name("other.plumbline")
    with path.open("wb") as file:
        archive.write(file, manifest, kept.dump())
    return archive.opened(path)


def test_a_restore_that_is_not_what_the_archive_says_replaces_nothing(target: DatabaseTarget) -> None:
    wrong = _with_other_rows(made(target))
    target.execute("DELETE FROM things WHERE id > 10")
    for attempt in (backup.restored, backup.verify):
        with pytest.raises(DiffersError, match="things\t2001"):
            attempt(target, wrong)
    assert target.rows("SELECT count(*) FROM things") == [(10,)]


def test_a_truncated_dump_replaces_nothing(target: DatabaseTarget) -> None:
    kept = made(target)
    kept.path.write_bytes(kept.path.read_bytes()[: kept.dump_bytes // 2])
    target.execute("DELETE FROM things WHERE id > 10")
    with pytest.raises(PlumblineError):
        backup.restored(target, kept)
    assert target.rows("SELECT count(*) FROM things") == [(10,)]


def test_a_restore_that_is_locked_out_says_so_and_replaces_nothing(
    target: DatabaseTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    from plumbline.backups import streams

    kept = made(target)
    monkeypatch.setattr(streams, "RESTORE", streams.RESTORE.replace("'\\''30s'\\''", "'\\''100ms'\\''"))
    with psycopg.connect(target.server.conninfo) as other:
        other.execute("LOCK TABLE things")
        with pytest.raises(PlumblineError, match="lock timeout"):
            backup.restored(target, kept)
    assert target.rows("SELECT count(*) FROM things") == [(2000,)]


def test_a_full_disk_is_one_sentence_and_leaves_nothing(target: DatabaseTarget) -> None:
    folder = target.home.root / backup.FOLDER
    made(target)
    with full_disk(20_000), pytest.raises(PlumblineError, match="its disk is full") as refused:
        made(target)
    assert "choose another folder" in str(refused.value.hint)
    assert [one.suffix for one in folder.iterdir() if one.name != ".lock"] == [".plumbline"]


def test_a_restore_whose_disk_is_full_is_one_sentence_and_replaces_nothing(target: DatabaseTarget) -> None:
    target.execute("CREATE TABLE large AS SELECT i, repeat(md5(i::text), 40) AS t FROM generate_series(1, 20000) AS i")
    kept = made(target)
    # Postgres may write a segment of its log, and not the table.
    with full_disk(17 << 20), throwaway_postgres() as small:
        other = DatabaseTarget(target.home, small)
        other.execute("CREATE TABLE things AS SELECT 1 AS id")
        with pytest.raises(PlumblineError, match=r"nothing was replaced: .*could not extend file") as refused:
            backup.restored(other, kept)
        assert "free some disk space" in str(refused.value.hint)
        assert other.rows("SELECT id FROM things") == [(1,)]


def test_a_place_that_cannot_be_written_is_one_sentence(public_folder: Path) -> None:
    public_folder.chmod(0o555)
    store = Store(public_folder / "backups")
    with unprivileged(), pytest.raises(PlumblineError, match=r"no backup can be written to .*: Permission denied"):  # noqa: SIM117
        with store.writing("manual"):
            pass
    public_folder.chmod(0o755)


def test_a_second_backup_at_the_same_time_is_refused(target: DatabaseTarget) -> None:
    store = backup.store_of(target.stack())
    with store.writing("manual"), pytest.raises(PlumblineError, match=r"another backup \(pid \d+\) is being written"):
        made(target)
    made(target)


def test_what_a_killed_backup_left_is_removed_by_the_next(target: DatabaseTarget) -> None:
    folder = made(target).path.parent
    (folder / "0002-manual-20260101T000000Z.plumbline.partial").write_bytes(b"half")
    made(target)
    assert not list(folder.glob("*.partial"))


def test_no_password_is_in_an_archive(target: DatabaseTarget) -> None:
    kept = made(target)
    assert target.server.password.encode() not in kept.path.read_bytes()
    assert "password" not in json.dumps(kept.manifest.text())


def test_a_database_that_does_not_answer_is_said_and_nothing_is_left(target: DatabaseTarget) -> None:
    target.address = replace(target.address, port=1)
    with pytest.raises(PlumblineError, match=r"(?s)could not be dumped: .*Connection refused"):
        made(target)
    assert not list((target.home.root / backup.FOLDER).glob("*plumbline*"))


def test_archives_are_ordered_by_number_when_the_clock_jumps_back(target: DatabaseTarget) -> None:
    first = made(target).path
    first = first.rename(first.with_name("0001-manual-20990101T000000Z.plumbline"))
    second = made(target).path
    store = backup.store_of(target.stack())
    assert [one.path for one in store.entries()] == [first, second]
    assert store.prune(1, ("manual",)) == [first]


def test_pruning_keeps_the_newest_of_each_kind_and_the_newest_verified_one(target: DatabaseTarget) -> None:
    store = backup.store_of(target.stack())
    paths = [made(target, reason).path for reason in ("manual", "manual", "before a restore", "manual", "manual")]
    store.entries()[0].mark_verified()
    assert store.prune(2, ("manual",)) == [paths[1]]
    assert [one.path for one in store.entries()] == [paths[0], *paths[2:]]
    assert store.newest_verified() is not None
    paths[0].write_bytes(b"changed")
    assert store.newest_verified() is None
