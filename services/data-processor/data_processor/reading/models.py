"""The table of the text of pages."""

from __future__ import annotations

from typing import get_args

from django.db import models
from django.db.models import Q

from data_processor.choices import Engine
from data_processor.documents.models import Document


class PageText(models.Model):
    """The words of a page of a document. A page without a row was not read yet."""

    pk = models.CompositePrimaryKey("document_id", "page")
    document = models.ForeignKey(Document, models.CASCADE, db_index=False, related_name="+")
    page = models.IntegerField()
    engine = models.TextField()
    # By how many degrees, anticlockwise, the picture of the page was turned before it was read.
    angle = models.FloatField()
    # See documents.files.read_words.Word for the shape.
    words = models.JSONField()
    # The words alone, in lines.
    text = models.TextField()
    # Why the page was not read, or not to its end.
    error = models.TextField(null=True)

    class Meta:
        db_table = "page_texts"
        constraints = [
            models.CheckConstraint(condition=Q(page__gte=1), name="page_texts_page_check"),
            models.CheckConstraint(condition=Q(engine__in=get_args(Engine)), name="page_texts_engine_check"),
        ]
