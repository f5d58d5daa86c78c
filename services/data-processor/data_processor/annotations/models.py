"""Table of annotations."""

from __future__ import annotations

from typing import get_args

from django.db import models
from django.db.models import Q, Value

from data_processor import fields
from data_processor.choices import ValidationStatus, ValueType
from data_processor.documents.models import Document
from data_processor.templates.models import Template, TemplateLabel


class Annotation(models.Model):
    """A box on a page, in the page's own units (pixels or PDF points) from its top left corner, with its meaning.

    The statement that writes a box checks that it is inside its page: the page's size is in `documents`.
    """

    document = models.ForeignKey(Document, models.CASCADE, db_index=False, related_name="annotations")
    page = models.IntegerField()
    box_x = models.FloatField()
    box_y = models.FloatField()
    box_width = models.FloatField()
    box_height = models.FloatField()
    label_type = models.TextField()
    label_name = models.TextField()
    colour = models.CharField(max_length=7)
    text = models.TextField(null=True)
    confidence = models.FloatField(null=True)
    validation_status = models.TextField(db_default=Value("pending"))
    # What applying a template found, beside the text.
    template = models.ForeignKey(Template, models.SET_NULL, null=True, db_index=False, related_name="+")
    template_label = models.ForeignKey(TemplateLabel, models.SET_NULL, null=True, db_index=False, related_name="+")
    template_version = models.IntegerField(null=True)
    value_type = models.TextField(null=True)
    # A text, or a list of rows for a table.
    normalised_value = models.JSONField(null=True)
    expected_format = models.TextField(null=True)
    reason = models.TextField(null=True)
    # A person's word: applying a template leaves such a row as it is.
    reviewed_by = fields.author("reviewed_by")
    reviewed_at = models.DateTimeField(null=True)
    created_by = fields.author("created_by")
    created_at = fields.moment()
    updated_at = fields.moment()

    class Meta:
        db_table = "annotations"
        indexes = [
            models.Index(fields=["document", "id"], name="annotations_document_id_idx"),
            fields.author_index("annotations", "created_by"),
            fields.author_index("annotations", "reviewed_by"),
            fields.reference_index("annotations", "template"),
        ]
        constraints = [
            fields.box_check("annotations_box_check", relative=False),
            fields.colour_check("annotations_colour_check"),
            models.CheckConstraint(condition=Q(page__gte=1), name="annotations_page_check"),
            # One for each label and page, however often a template is applied. The label comes first, because its
            # deletion looks up its annotations.
            models.UniqueConstraint(
                fields=["template_label", "document", "page"],
                condition=Q(template_label__isnull=False),
                name="annotations_template_label_key",
            ),
            models.CheckConstraint(
                condition=Q(value_type__in=get_args(ValueType)), name="annotations_value_type_check"
            ),
            models.CheckConstraint(
                condition=Q(reviewed_by__isnull=True) | Q(reviewed_at__isnull=False), name="annotations_reviewed_check"
            ),
            models.CheckConstraint(
                condition=Q(confidence__isnull=True) | Q(confidence__gte=0, confidence__lte=1),
                name="annotations_confidence_check",
            ),
            models.CheckConstraint(
                condition=Q(validation_status__in=get_args(ValidationStatus)),
                name="annotations_validation_status_check",
            ),
        ]
