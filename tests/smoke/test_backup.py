"""A backup of the running stack is whole and can be restored: proven in a throwaway database.

Protects from a backup that cannot be restored when it is needed.
"""

from __future__ import annotations

from pathlib import Path

from plumbline.backups import archive, backup, revisions
from plumbline.errors import ElsewhereError, NotGivenError
from plumbline.stack import Stack
from plumbline.targets.base import Target


def test_a_backup_of_the_serving_stack_can_be_restored(target: Target, stack: Stack, tmp_path: Path) -> None:
    try:
        made = backup.snapshot(target, stack, "smoke", tmp_path)
    except ElsewhereError as error:
        raise NotGivenError(f"needs the stack's own Postgres ({error})") from None
    kept = archive.opened(made.path)
    assert kept.manifest.contents.revisions == revisions.newest()
    tables = {one.name: one.rows for one in kept.manifest.contents.tables}
    assert tables["users"] >= 1
    assert {"messages", "documents", "document_contents", "procrastinate_jobs"} <= set(tables)
    backup.verify(target, kept)
