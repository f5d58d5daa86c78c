"""Both chains go back in reverse service order, one revision after the other, and forward again, with the data."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from data_processor_testkit.service import HEAD, Service

from plumbline.backups import revisions
from plumbline.verification.throwaway import throwaway_postgres, wait_until

NO_REDIS = "redis://127.0.0.1:1/0"
CHAINS = (("data_processor", "data-processor"), ("backend", "backend"))
"""Package and name, in the order in which the chains go back."""
DATA = """
    INSERT INTO users (username, display_name, password_hash) VALUES ('ada', 'Ada', '');
    INSERT INTO channels (name, type, created_by) SELECT 'maths', 'public', id FROM users WHERE username = 'ada';
    INSERT INTO memberships (channel_id, user_id) SELECT c.id, u.id FROM channels c, users u WHERE u.username = 'ada';
    INSERT INTO messages (channel_id, sender_id, content)
        SELECT c.id, c.created_by, 'message ' || n FROM channels c, generate_series(1, 300) AS n;
    INSERT INTO document_contents (sha256, data)
        SELECT encode(sha256(file), 'hex'), file FROM (VALUES ('one'::bytea), ('two')) AS f (file);
    INSERT INTO documents (channel_id, uploaded_by, filename, media_type, size, sha256, page_widths, page_heights)
        SELECT c.id, c.created_by, 'f' || n || '.png', 'image/png', 3, sha256, '{1}', '{1}'
        FROM channels c, document_contents, generate_series(1, 2) AS n;
    INSERT INTO templates (channel_id, name, created_by) SELECT id, 'invoice', created_by FROM channels;
"""
KEPT = """
    SELECT (SELECT md5(string_agg((id, content, sender_id)::text, ',' ORDER BY id)) FROM messages),
        (SELECT string_agg((d.filename, d.size, c.data)::text, ',' ORDER BY d.id)
         FROM documents d JOIN document_contents c USING (sha256)),
        (SELECT string_agg(username, ',' ORDER BY id) FROM users), (SELECT string_agg(name, ',') FROM templates)
"""


@pytest.fixture
def with_data(tmp_path: Path) -> Iterator[Service]:
    with throwaway_postgres() as postgres:
        service = Service(postgres, NO_REDIS, tmp_path)
        service.migrate()
        service.run_sql(DATA)
        yield service


def test_both_chains_go_back_step_by_step_and_forward_again_with_the_data(with_data: Service) -> None:
    before = with_data.rows(KEPT)
    for package, name in CHAINS:
        for revision in reversed(revisions.known(name)[:-1]):
            done = with_data.run("migrate", package, "--back-to", revision)
            assert done.returncode == 0, f"{name} to {revision}: {done.stderr}"
    last = "SELECT detail FROM stack_events ORDER BY id DESC LIMIT 1"
    assert with_data.rows(last) == [(revisions.known("backend")[0],)]
    with_data.migrate()
    assert with_data.rows(KEPT) == before


def test_an_unknown_revision_is_refused_and_nothing_changes(with_data: Service) -> None:
    for package, _ in CHAINS:
        done = with_data.run("migrate", package, "--back-to", "0999_future")
        assert done.returncode == 1
        assert "0999_future" in done.stderr
        assert "Traceback" not in done.stderr
    assert with_data.rows("SELECT version_num FROM alembic_version") == [(revisions.known("backend")[-1],)]


def test_migrations_that_are_killed_before_they_are_recorded_leave_nothing_behind(with_data: Service) -> None:
    """Django itself records a migration with foreign keys after it has committed their tables."""
    before = with_data.rows(KEPT)
    assert with_data.run("migrate", None, "--back-to", "0004_files").returncode == 0
    waiting = """
        SELECT pid FROM pg_locks WHERE NOT granted AND relation = 'django_migrations'::regclass
        AND mode = 'RowExclusiveLock'
    """
    conninfo = with_data.postgres.conninfo
    with psycopg.connect(conninfo) as locking, psycopg.connect(conninfo, autocommit=True) as watching:
        locking.execute("LOCK TABLE django_migrations IN SHARE MODE")
        with subprocess.Popen(with_data.command("migrate"), env=with_data.environment) as migrating:
            wait_until(lambda: watching.execute(waiting).fetchone() is not None, "a migration is to be recorded")
            migrating.kill()
        watching.execute(f"SELECT pg_terminate_backend(pid, 10000) FROM ({waiting}) AS one")
    done = with_data.run("migrate")
    assert done.returncode == 0, done.stderr
    assert with_data.rows("SELECT detail FROM stack_events ORDER BY id DESC LIMIT 1") == [(HEAD,)]
    assert with_data.rows(KEPT) == before
