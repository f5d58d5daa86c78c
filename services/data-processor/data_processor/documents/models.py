"""Tables of documents and of their bytes."""

from __future__ import annotations

from typing import get_args

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Func, Q, Value

from data_processor import fields
from data_processor.choices import MediaType, TextStatus

FILENAME_MAX = 255


def _of_pages(template: str, output: models.Field[object, object], column: str) -> models.GeneratedField:
    return models.GeneratedField(
        expression=Func(F(column), template=template, output_field=output), output_field=output, db_persist=True
    )


class DocumentContent(models.Model):
    """The bytes of a file, stored once for all equal documents, in a separate table that lists never read.

    The last of its documents takes it along (see the trigger in migration 0004).
    """

    sha256 = models.CharField(max_length=64, primary_key=True)
    data = models.BinaryField()
    # Created on the first request for it.
    thumbnail = models.BinaryField(null=True)

    class Meta:
        db_table = "document_contents"
        constraints = [
            models.CheckConstraint(condition=Q(sha256__regex="^[0-9a-f]{64}$"), name="document_contents_sha256_check")
        ]


class Document(models.Model):
    """An upload. Sizes are in pixels (images, upright) or PDF points, one entry per page."""

    channel = fields.channel()
    uploaded_by = fields.author("uploaded_by")
    filename = models.CharField(max_length=FILENAME_MAX)
    media_type = models.TextField()
    size = models.BigIntegerField()
    file = models.ForeignKey(
        DocumentContent, models.DO_NOTHING, db_column="sha256", db_index=False, related_name="documents"
    )
    # What is wrong with a file that can be used nevertheless, in sentences.
    damage = ArrayField(models.TextField(), db_default=Value([]))
    page_widths = ArrayField(models.FloatField())
    page_heights = ArrayField(models.FloatField())
    # Lists read these instead of the sizes of 500 pages. Postgres derives them, so they cannot differ.
    page_count = _of_pages("cardinality(%(expressions)s)", models.IntegerField(), "page_widths")
    width = _of_pages("(%(expressions)s)[1]", models.FloatField(), "page_widths")
    height = _of_pages("(%(expressions)s)[1]", models.FloatField(), "page_heights")
    text_status = models.TextField(db_default=Value("pending"))
    # Which pages were not read, and why.
    text_error = models.TextField(null=True)
    created_at = fields.moment()
    updated_at = fields.moment()

    class Meta:
        db_table = "documents"
        indexes = [
            models.Index(fields=["channel", "id"], name="documents_channel_id_idx"),
            models.Index(fields=["file"], name="documents_sha256_idx"),
            fields.author_index("documents", "uploaded_by"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(media_type__in=get_args(MediaType)), name="documents_media_type_check"),
            models.CheckConstraint(condition=Q(size__gt=0), name="documents_size_check"),
            models.CheckConstraint(condition=~Q(filename=""), name="documents_filename_check"),
            models.CheckConstraint(
                condition=Q(text_status__in=get_args(TextStatus)), name="documents_text_status_check"
            ),
            models.CheckConstraint(
                condition=Q(page_widths__len__gte=1) & Q(page_heights__len=F("page_widths__len")),
                name="documents_pages_check",
            ),
        ]
