"""The snapshot before migrations change a database that has data."""

from __future__ import annotations

import subprocess
from pathlib import Path

from plumbline.backups import backup, revisions
from plumbline.errors import ElsewhereError, StepError
from plumbline.targets.base import Target

BEFORE = "before-an-upgrade"
KEPT = 3
_REVISIONS = """
SELECT 'SELECT ''backend'', version_num FROM alembic_version' WHERE to_regclass('public.alembic_version') IS NOT NULL
UNION ALL
SELECT 'SELECT ''data-processor'', max(name) FROM django_migrations WHERE app = ''data_processor'' HAVING count(*) > 0'
WHERE to_regclass('public.django_migrations') IS NOT NULL \\gexec
"""
_TIMEOUT_S = 60


def before_migrations(target: Target) -> str:
    """Take a snapshot if the next migrations would change the schema; return where it is, "" if none was needed."""
    try:
        found = deployed(target)
    except ElsewhereError as error:
        return f"no snapshot: {error}"
    if not found or found == revisions.newest() or revisions.newer(found):
        return ""  # a new database, nothing to do, or refused by the migrations
    stack = target.stack()
    made = backup.snapshot(target, stack, BEFORE)
    backup.store_of(stack).prune(KEPT, (BEFORE,))
    return f"snapshot {made.path}"


def deployed(target: Target) -> dict[str, str]:
    """Return the revision of each migration chain in the database, of those that have one. Raises StepError."""
    command = target.postgres_command("psql", "--no-psqlrc", "--quiet", "--no-align", "--tuples-only",
                                      "--field-separator=\t", "--set=ON_ERROR_STOP=1")  # fmt: skip
    done = subprocess.run(
        command, input=_REVISIONS, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S, cwd=Path("/")
    )
    if done.returncode != 0:
        raise StepError(
            f"the revisions of the schema cannot be read: {done.stderr.strip()[-500:]}", component="postgres"
        )
    return dict(line.split("\t", 1) for line in done.stdout.splitlines())
