"""Tables of batch jobs and of the outcome of each document."""

from __future__ import annotations

from typing import get_args

from django.db import models
from django.db.models import F, Q, Value

from data_processor import fields
from data_processor.choices import BatchStatus
from data_processor.documents.models import Document
from data_processor.templates.models import Template


class BatchJob(models.Model):
    """A template that is to be applied to a number of documents of its channel."""

    channel = fields.channel()
    # A job stays when its template is deleted.
    template = models.ForeignKey(Template, models.SET_NULL, null=True, related_name="+")
    status = models.TextField(db_default=Value("pending"))
    total = models.IntegerField()
    done = models.IntegerField(db_default=Value(0))
    failed = models.IntegerField(db_default=Value(0))
    created_by = fields.author("created_by")
    created_at = fields.moment()
    # When `done` and `failed` were last counted. While the job runs, that is a few times a second at most.
    counted_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "batch_jobs"
        indexes = [
            models.Index(fields=["channel", "id"], name="batch_jobs_channel_id_idx"),
            fields.author_index("batch_jobs", "created_by"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(status__in=get_args(BatchStatus)), name="batch_jobs_status_check"),
            models.CheckConstraint(
                condition=Q(total__gte=1, done__gte=0, failed__gte=0) & Q(total__gte=F("done") + F("failed")),
                name="batch_jobs_progress_check",
            ),
        ]


class BatchItem(models.Model):
    """One document of a job. When the document is deleted, its name and its outcome stay."""

    batch_job = models.ForeignKey(BatchJob, models.CASCADE, db_index=False, related_name="items")
    position = models.IntegerField()
    document = models.ForeignKey(Document, models.SET_NULL, null=True, db_index=False, related_name="+")
    filename = models.TextField()
    status = models.TextField(db_default=Value("pending"))
    error = models.TextField(null=True)
    # How often a worker has begun with it. Only the newest attempt may store an outcome.
    attempt = models.IntegerField(db_default=Value(0))

    class Meta:
        db_table = "batch_items"
        indexes = [
            models.Index(
                fields=["batch_job"], condition=Q(status__in=("pending", "running")), name="batch_items_open_idx"
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["batch_job", "position"], name="batch_items_position_key"),
            # The document comes first, because its deletion looks up its items.
            models.UniqueConstraint(fields=["document", "batch_job"], name="batch_items_document_key"),
            models.CheckConstraint(condition=Q(status__in=get_args(BatchStatus)), name="batch_items_status_check"),
        ]
