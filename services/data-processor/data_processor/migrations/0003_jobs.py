"""Jobs: the tables of the queue (Procrastinate's own migrations), and what running a batch needs.

Reversing removes the columns of batches. The tables of the queue stay: Procrastinate's migrations cannot be reversed.
"""

from __future__ import annotations

from django.db import migrations, models
from django.db.models import Q, Value

STATUSES = ("pending", "running", "done", "failed", "cancelled")


class Migration(migrations.Migration):
    dependencies = [
        ("data_processor", "0002_deletions"),
        # The newest one of the locked release: a schema at our head has all of the queue.
        ("procrastinate", "0041_post_retry_failed_job"),
    ]

    operations = [
        migrations.AddField("batchjob", "counted_at", models.DateTimeField(null=True)),
        migrations.AddField("batchjob", "finished_at", models.DateTimeField(null=True)),
        migrations.AddField("batchitem", "attempt", models.IntegerField(db_default=Value(0))),
        *(
            operation
            for model, table in (("batchjob", "batch_jobs"), ("batchitem", "batch_items"))
            for operation in (
                migrations.RemoveConstraint(model, f"{table}_status_check"),
                migrations.AddConstraint(
                    model, models.CheckConstraint(condition=Q(status__in=STATUSES), name=f"{table}_status_check")
                ),
            )
        ),
        migrations.AddIndex(
            "batchitem",
            models.Index(
                fields=["batch_job"], condition=Q(status__in=("pending", "running")), name="batch_items_open_idx"
            ),
        ),
    ]
