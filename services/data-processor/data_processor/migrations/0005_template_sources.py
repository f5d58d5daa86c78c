"""Templates made from documents, and annotations that applying a template made or a person reviewed."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("data_processor", "0004_files"),
    ]

    operations = [
        migrations.CreateModel(
            name="TemplateAnchors",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "template_id", "page", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "template",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="data_processor.template",
                    ),
                ),
                ("page", models.IntegerField()),
                ("width", models.FloatField()),
                ("height", models.FloatField()),
                ("words", models.JSONField()),
            ],
            options={
                "db_table": "template_anchors",
            },
        ),
        migrations.AddField(
            model_name="annotation",
            name="expected_format",
            field=models.TextField(null=True),
        ),
        migrations.AddField(
            model_name="annotation",
            name="normalised_value",
            field=models.JSONField(null=True),
        ),
        migrations.AddField(
            model_name="annotation",
            name="reason",
            field=models.TextField(null=True),
        ),
        migrations.AddField(
            model_name="annotation",
            name="reviewed_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="annotation",
            name="reviewed_by",
            field=models.ForeignKey(
                db_column="reviewed_by",
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="data_processor.user",
            ),
        ),
        migrations.AddField(
            model_name="annotation",
            name="template",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="data_processor.template",
            ),
        ),
        migrations.AddField(
            model_name="annotation",
            name="template_label",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="data_processor.templatelabel",
            ),
        ),
        migrations.AddField(
            model_name="annotation",
            name="template_version",
            field=models.IntegerField(null=True),
        ),
        migrations.AddField(
            model_name="annotation",
            name="value_type",
            field=models.TextField(null=True),
        ),
        migrations.AddField(
            model_name="template",
            name="date_order",
            field=models.TextField(null=True),
        ),
        migrations.AddField(
            model_name="template",
            name="decimal_separator",
            field=models.TextField(null=True),
        ),
        migrations.AddField(
            model_name="template",
            name="source_document",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="data_processor.document",
            ),
        ),
        migrations.AddField(
            model_name="template",
            name="source_page",
            field=models.IntegerField(null=True),
        ),
        migrations.AddField(
            model_name="template",
            name="version",
            field=models.IntegerField(db_default=models.Value(1)),
        ),
        migrations.AddField(
            model_name="templatelabel",
            name="every_page",
            field=models.BooleanField(db_default=models.Value(False)),
        ),
        migrations.AddField(
            model_name="templatelabel",
            name="value_type",
            field=models.TextField(db_default=models.Value("text")),
        ),
        migrations.AddIndex(
            model_name="annotation",
            index=models.Index(
                condition=models.Q(("reviewed_by__isnull", False)),
                fields=["reviewed_by"],
                name="annotations_reviewed_by_idx",
            ),
        ),
        migrations.AddIndex(
            model_name="annotation",
            index=models.Index(
                condition=models.Q(("template__isnull", False)), fields=["template"], name="annotations_template_idx"
            ),
        ),
        migrations.AddIndex(
            model_name="template",
            index=models.Index(
                condition=models.Q(("source_document__isnull", False)),
                fields=["source_document"],
                name="templates_source_document_idx",
            ),
        ),
        migrations.AddConstraint(
            model_name="annotation",
            constraint=models.UniqueConstraint(
                condition=models.Q(("template_label__isnull", False)),
                fields=("template_label", "document", "page"),
                name="annotations_template_label_key",
            ),
        ),
        migrations.AddConstraint(
            model_name="annotation",
            constraint=models.CheckConstraint(
                condition=models.Q(("value_type__in", ("text", "date", "amount", "table"))),
                name="annotations_value_type_check",
            ),
        ),
        migrations.AddConstraint(
            model_name="annotation",
            constraint=models.CheckConstraint(
                condition=models.Q(("reviewed_by__isnull", True), ("reviewed_at__isnull", False), _connector="OR"),
                name="annotations_reviewed_check",
            ),
        ),
        migrations.AddConstraint(
            model_name="template",
            constraint=models.CheckConstraint(condition=models.Q(("version__gte", 1)), name="templates_version_check"),
        ),
        migrations.AddConstraint(
            model_name="template",
            constraint=models.CheckConstraint(
                condition=models.Q(("source_page__gte", 1)), name="templates_source_page_check"
            ),
        ),
        migrations.AddConstraint(
            model_name="template",
            constraint=models.CheckConstraint(
                condition=models.Q(("date_order__in", ("DMY", "MDY", "YMD"))), name="templates_date_order_check"
            ),
        ),
        migrations.AddConstraint(
            model_name="template",
            constraint=models.CheckConstraint(
                condition=models.Q(("decimal_separator__in", (".", ","))), name="templates_decimal_separator_check"
            ),
        ),
        migrations.AddConstraint(
            model_name="templatelabel",
            constraint=models.CheckConstraint(
                condition=models.Q(("value_type__in", ("text", "date", "amount", "table"))),
                name="template_labels_value_type_check",
            ),
        ),
        migrations.AddConstraint(
            model_name="templateanchors",
            constraint=models.CheckConstraint(
                condition=models.Q(("height__gt", 0), ("page__gte", 1), ("width__gt", 0)),
                name="template_anchors_page_check",
            ),
        ),
        # Labels whose type names how their text is read.
        migrations.RunSQL(
            "UPDATE template_labels SET value_type = lower(label_type)"
            " WHERE lower(label_type) IN ('date', 'amount', 'table')",
            migrations.RunSQL.noop,
        ),
    ]
