"""One migration at a time: a second one waits for a bounded time and reports the holder of the lock."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import threading
from collections.abc import Iterator

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from servicekit.facts import MIGRATION_LOCK_KEY
from servicekit.migrations import MigrationLockError, migration_lock, record_event

from plumbline import ROOT

_HOLD = """
import sys
from servicekit.migrations import migration_lock
with migration_lock(sys.stdin.readline().strip(), 10):
    print("held", flush=True)
    sys.stdin.readline()
"""


@contextlib.contextmanager
def _holder(conninfo: str, name: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock under `name`."""
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLD],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={"PYTHONPATH": str(ROOT / "services" / "servicekit")},
    )  # fmt: skip
    try:
        process.stdin.write(make_conninfo(conninfo, application_name=name) + "\n")
        process.stdin.flush()
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_waiting_for_a_busy_lock_ends_in_time_and_names_its_holder(postgres_server):
    with _holder(postgres_server.conninfo, "plumbline-backend-migrate"):
        with psycopg.connect(postgres_server.conninfo) as conn:
            (pid,) = conn.execute(
                "SELECT pid FROM pg_stat_activity WHERE application_name = 'plumbline-backend-migrate'"
            ).fetchone()
        with (
            pytest.raises(MigrationLockError) as caught,
            migration_lock(postgres_server.conninfo, 0.3),
        ):
            pytest.fail("the lock was had twice")
    said = str(caught.value)
    assert "plumbline-backend-migrate" in said
    assert f"Postgres process {pid}" in said
    assert re.search(r"connected since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d", said)
    assert f"pg_terminate_backend({pid})" in said
    assert "waited 0.3 s" in said


def test_a_holder_without_a_name_is_still_named(postgres_server):
    with (
        _holder(postgres_server.conninfo, ""),
        pytest.raises(MigrationLockError, match=r"unnamed session \(Postgres process \d+"),
        migration_lock(postgres_server.conninfo, 0),
    ):
        pytest.fail("the lock was had twice")


def test_a_lock_of_the_same_number_in_another_space_or_database_is_not_taken_for_the_holder(postgres_server):
    with (
        psycopg.connect(make_conninfo(postgres_server.conninfo, application_name="bystander")) as bystander,
        _holder(postgres_server.conninfo, "the-holder"),
    ):
        high, low = MIGRATION_LOCK_KEY >> 32, MIGRATION_LOCK_KEY & 0xFFFFFFFF
        bystander.execute("SELECT pg_advisory_lock(%s::int, %s::int)", (high, low))
        bystander.execute("SELECT pg_advisory_lock(%s)", (MIGRATION_LOCK_KEY + 1,))
        bystander.execute("SELECT pg_advisory_lock(%s)", (MIGRATION_LOCK_KEY & 0xFFFFFFFF,))
        with pytest.raises(MigrationLockError, match="the-holder"), migration_lock(postgres_server.conninfo, 0):
            pytest.fail("the lock was had twice")


def test_killing_the_holder_releases_the_lock(postgres_server):
    with _holder(postgres_server.conninfo, "doomed") as process:
        process.kill()
        with migration_lock(postgres_server.conninfo, 20) as conn:
            assert conn.execute("SELECT 1").fetchone() == (1,)


def test_a_waiting_migration_gets_the_lock_when_the_holder_ends(postgres_server):
    got = threading.Event()

    def wait_for_it() -> None:
        with migration_lock(postgres_server.conninfo, 20):
            got.set()

    with _holder(postgres_server.conninfo, "first") as process:
        waiting = threading.Thread(target=wait_for_it)
        waiting.start()
        assert not got.is_set()
        process.stdin.write("\n")
        process.stdin.flush()
        waiting.join(30)
    assert got.is_set()


def test_the_lock_is_released_after_an_error(postgres_server):
    with pytest.raises(RuntimeError, match="migration broke"), migration_lock(postgres_server.conninfo, 1):
        raise RuntimeError("migration broke")
    with migration_lock(postgres_server.conninfo, 0):
        pass


def test_holding_the_lock_holds_no_transaction(postgres_server):
    # Postgres ends a session that is idle in a transaction for long, which would release the lock.
    with migration_lock(postgres_server.conninfo, 1) as conn:
        conn.execute("SELECT 1")
        assert conn.info.transaction_status is psycopg.pq.TransactionStatus.IDLE


def test_a_database_that_is_away_is_its_own_error(postgres_server):
    nowhere = make_conninfo(postgres_server.conninfo, port=1)
    with pytest.raises(psycopg.OperationalError), migration_lock(nowhere, 0):
        pytest.fail("held a lock nowhere")


def test_events_are_recorded_with_the_databases_clock(postgres_server):
    with psycopg.connect(postgres_server.conninfo) as conn:
        conn.execute(
            "CREATE TEMP TABLE stack_events (id bigint GENERATED ALWAYS AS IDENTITY, stack_id text, component text, "
            "event text, detail text, at timestamptz DEFAULT clock_timestamp())"
        )
        record_event(conn, "abc", "backend", "migrated", "0001")
        record_event(conn, "abc", "backend", "ready", None)
        rows = conn.execute("SELECT stack_id, component, event, detail FROM stack_events ORDER BY at").fetchall()
        conn.rollback()
    assert rows == [("abc", "backend", "migrated", "0001"), ("abc", "backend", "ready", None)]
