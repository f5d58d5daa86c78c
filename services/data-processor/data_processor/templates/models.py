"""Tables of templates and their labels."""

from __future__ import annotations

from typing import get_args

from django.db import models
from django.db.models import F, Func, Q, Value

from data_processor import fields
from data_processor.choices import DateOrder, DecimalSeparator, ValueType
from data_processor.documents.models import Document


class Template(models.Model):
    """A named set of labels for one kind of document. Its name is unique in its channel; case is ignored."""

    channel = fields.channel()
    name = models.TextField()
    version = models.IntegerField(db_default=Value(1))
    source_document = models.ForeignKey(Document, models.SET_NULL, null=True, db_index=False, related_name="+")
    # The page of the source that is page 1 of the template.
    source_page = models.IntegerField(null=True)
    date_order = models.TextField(null=True)
    decimal_separator = models.TextField(null=True)
    # The labels as they are answered, and what they are of: see selectors.
    labels_text = models.TextField(null=True)
    labels_text_of = models.TextField(null=True)
    created_by = fields.author("created_by")
    created_at = fields.moment()
    updated_at = fields.moment()

    class Meta:
        db_table = "templates"
        indexes = [
            models.Index(fields=["channel", "id"], name="templates_channel_id_idx"),
            fields.author_index("templates", "created_by"),
            fields.reference_index("templates", "source_document"),
        ]
        constraints = [
            models.UniqueConstraint(Func(F("name"), function="lower"), "channel", name="templates_name_key"),
            models.CheckConstraint(condition=~Q(name=""), name="templates_name_check"),
            models.CheckConstraint(condition=Q(version__gte=1), name="templates_version_check"),
            models.CheckConstraint(condition=Q(source_page__gte=1), name="templates_source_page_check"),
            models.CheckConstraint(condition=Q(date_order__in=get_args(DateOrder)), name="templates_date_order_check"),
            models.CheckConstraint(
                condition=Q(decimal_separator__in=get_args(DecimalSeparator)),
                name="templates_decimal_separator_check",
            ),
        ]


class TemplateLabel(models.Model):
    """The position of an expected value: a page, a box relative to it (0 to 1), and a regular expression.

    With `every_page`, the box is on `page` of the template and is looked for on every page of a document.
    """

    template = models.ForeignKey(Template, models.CASCADE, db_index=False, related_name="labels")
    position = models.IntegerField()
    name = models.TextField()
    label_type = models.TextField()
    colour = models.CharField(max_length=7)
    page = models.IntegerField(db_default=Value(1))
    every_page = models.BooleanField(db_default=Value(False))
    value_type = models.TextField(db_default=Value("text"))
    box_x = models.FloatField()
    box_y = models.FloatField()
    box_width = models.FloatField()
    box_height = models.FloatField()
    expected_format = models.TextField(null=True)
    required = models.BooleanField(db_default=Value(False))

    class Meta:
        db_table = "template_labels"
        constraints = [
            models.UniqueConstraint(fields=["template", "position"], name="template_labels_position_key"),
            models.UniqueConstraint("template", Func(F("name"), function="lower"), name="template_labels_name_key"),
            models.CheckConstraint(condition=Q(position__gte=1), name="template_labels_position_check"),
            models.CheckConstraint(condition=Q(page__gte=1), name="template_labels_page_check"),
            models.CheckConstraint(
                condition=Q(value_type__in=get_args(ValueType)), name="template_labels_value_type_check"
            ),
            fields.box_check("template_labels_box_check", relative=True),
            fields.colour_check("template_labels_colour_check"),
        ]


class TemplateAnchors(models.Model):
    """The words of one page that the template was made from: they show where the page of a document lies."""

    pk = models.CompositePrimaryKey("template_id", "page")
    template = models.ForeignKey(Template, models.CASCADE, db_index=False, related_name="+")
    page = models.IntegerField()
    width = models.FloatField()
    height = models.FloatField()
    # A list of [text, x, y, width, height], in the units of the page.
    words = models.JSONField()

    class Meta:
        db_table = "template_anchors"
        constraints = [
            models.CheckConstraint(
                condition=Q(page__gte=1, width__gt=0, height__gt=0), name="template_anchors_page_check"
            ),
        ]
