"""Tables of templates and their labels."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Func, Q, Value

from data_processor import fields


class Template(models.Model):
    """A named set of labels for one kind of document. Its name is unique in its channel; case is ignored."""

    channel = fields.channel()
    name = models.TextField()
    created_by = fields.author("created_by")
    created_at = fields.moment()
    updated_at = fields.moment()

    class Meta:
        db_table = "templates"
        indexes = [
            models.Index(fields=["channel", "id"], name="templates_channel_id_idx"),
            fields.author_index("templates", "created_by"),
        ]
        constraints = [
            models.UniqueConstraint("channel", Func(F("name"), function="lower"), name="templates_name_key"),
            models.CheckConstraint(condition=~Q(name=""), name="templates_name_check"),
        ]


class TemplateLabel(models.Model):
    """The position of an expected value: a page, a box relative to it (0 to 1), and a regular expression."""

    template = models.ForeignKey(Template, models.CASCADE, db_index=False, related_name="labels")
    position = models.IntegerField()
    name = models.TextField()
    label_type = models.TextField()
    colour = models.CharField(max_length=7)
    page = models.IntegerField(db_default=Value(1))
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
            fields.box_check("template_labels_box_check", relative=True),
            fields.colour_check("template_labels_colour_check"),
        ]
