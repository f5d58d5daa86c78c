"""Backups of a stack in containers: made beside Postgres, proven in a container of their own, restored."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from plumbline.backups import archive, backup, revisions
from plumbline.backups.upgrade import deployed
from plumbline.components import MIGRATING
from plumbline.targets.compose.target import ComposeTarget

pytestmark = pytest.mark.engine


def execute(target: ComposeTarget, statement: str) -> str:
    command = target.postgres_command("psql", "--no-align", "--tuples-only", "--command", statement)
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


def test_a_backup_is_proven_beside_the_stack_and_restored_into_it(running: ComposeTarget, tmp_path: Path) -> None:
    execute(running, "CREATE TABLE kept (id int); INSERT INTO kept SELECT generate_series(1, 5000)")
    try:
        made = archive.opened(backup.snapshot(running, running.stack(), "manual", tmp_path).path)
        assert made.manifest.contents.revisions == deployed(running)
        execute(running, "DELETE FROM kept WHERE id > 3")
        before = subprocess.run(["docker", "ps", "--all", "--quiet"], capture_output=True, text=True, check=True).stdout
        volumes = subprocess.run(
            ["docker", "volume", "ls", "--quiet"], capture_output=True, text=True, check=True
        ).stdout
        backup.verify(running, made)
        assert execute(running, "SELECT count(*) FROM kept") == "3"
        after = subprocess.run(["docker", "ps", "--all", "--quiet"], capture_output=True, text=True, check=True).stdout
        left = subprocess.run(["docker", "volume", "ls", "--quiet"], capture_output=True, text=True, check=True).stdout
        assert set(after.split()) <= set(before.split())
        assert set(left.split()) <= set(volumes.split())
        clients = ("caddy", "backend", "data-processor", "worker")
        running.stop(*clients)
        try:
            for name in reversed(MIGRATING):
                running.migrate_back(name, revisions.known(name)[-2])
            assert deployed(running) == {name: revisions.known(name)[-2] for name in MIGRATING}
            backup.restored(running, made)
            assert deployed(running) == revisions.newest()
        finally:
            for name in MIGRATING:  # other tests want the containers of a deployment
                running._migrate(name)
            running.start(*reversed(clients))
        assert execute(running, "SELECT count(*) FROM kept") == "5000"
    finally:
        execute(running, "DROP TABLE IF EXISTS kept")
    assert running.stack().running
