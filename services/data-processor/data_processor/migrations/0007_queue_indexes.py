"""Index what is looked for in the queue: the jobs of a worker that ends, and those that wait for a channel or a batch.

Procrastinate's own indexes have only the jobs that are being done, and queues without the order of their jobs: the
whole queue was read.
"""

from __future__ import annotations

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("data_processor", "0006_page_texts")]

    # Not CONCURRENTLY, because each migration and its record are one transaction: new jobs wait while the queue is read
    # once, about a second for a million of them.
    operations = [
        migrations.RunSQL(
            "CREATE INDEX procrastinate_jobs_worker_id_idx ON procrastinate_jobs (worker_id)"
            " WHERE worker_id IS NOT NULL",
            "DROP INDEX procrastinate_jobs_worker_id_idx",
        ),
        migrations.RunSQL(
            "CREATE INDEX procrastinate_jobs_waiting_idx ON procrastinate_jobs (queue_name, id) WHERE status = 'todo'",
            "DROP INDEX procrastinate_jobs_waiting_idx",
        ),
    ]
