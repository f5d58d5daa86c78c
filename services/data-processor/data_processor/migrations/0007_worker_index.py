"""Index the queue's reference to its workers.

When a worker ends, Postgres looks for its jobs. Procrastinate's own index has only the jobs that are being done, which
a foreign key cannot use: the whole queue was read.
"""

from __future__ import annotations

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("data_processor", "0006_page_texts")]

    operations = [
        # Small: only a job that has been begun has a worker. Not CONCURRENTLY, because each migration and its record
        # are one transaction; new jobs wait while the queue is read once.
        migrations.RunSQL(
            "CREATE INDEX procrastinate_jobs_worker_id_idx ON procrastinate_jobs (worker_id)"
            " WHERE worker_id IS NOT NULL",
            "DROP INDEX procrastinate_jobs_worker_id_idx",
        ),
    ]
