"""The foundation: documents, annotations, templates and batch jobs."""

from __future__ import annotations

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    operations = [
        migrations.CreateModel(
            name="Channel",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.TextField()),
            ],
            options={
                "db_table": "channels",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="Membership",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "channel_id", "user_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
            ],
            options={
                "db_table": "memberships",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="User",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("username", models.TextField()),
                ("display_name", models.TextField()),
                ("is_operator", models.BooleanField()),
            ],
            options={
                "db_table": "users",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="Document",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("filename", models.CharField(max_length=255)),
                ("media_type", models.TextField()),
                ("size", models.BigIntegerField()),
                ("sha256", models.CharField(max_length=64)),
                ("page_widths", django.contrib.postgres.fields.ArrayField(base_field=models.FloatField(), size=None)),
                ("page_heights", django.contrib.postgres.fields.ArrayField(base_field=models.FloatField(), size=None)),
                (
                    "page_count",
                    models.GeneratedField(
                        db_persist=True,
                        expression=models.Func(
                            models.F("page_widths"),
                            output_field=models.IntegerField(),
                            template="cardinality(%(expressions)s)",
                        ),
                        output_field=models.IntegerField(),
                    ),
                ),
                (
                    "width",
                    models.GeneratedField(
                        db_persist=True,
                        expression=models.Func(
                            models.F("page_widths"), output_field=models.FloatField(), template="(%(expressions)s)[1]"
                        ),
                        output_field=models.FloatField(),
                    ),
                ),
                (
                    "height",
                    models.GeneratedField(
                        db_persist=True,
                        expression=models.Func(
                            models.F("page_heights"), output_field=models.FloatField(), template="(%(expressions)s)[1]"
                        ),
                        output_field=models.FloatField(),
                    ),
                ),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("updated_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "channel",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="data_processor.channel",
                    ),
                ),
                (
                    "uploaded_by",
                    models.ForeignKey(
                        db_column="uploaded_by",
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="data_processor.user",
                    ),
                ),
            ],
            options={
                "db_table": "documents",
                "indexes": [models.Index(fields=["channel", "id"], name="documents_channel_id_idx")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("media_type__in", ("image/png", "image/jpeg", "image/webp", "application/pdf"))
                        ),
                        name="documents_media_type_check",
                    ),
                    models.CheckConstraint(condition=models.Q(("size__gt", 0)), name="documents_size_check"),
                    models.CheckConstraint(
                        condition=models.Q(("sha256__regex", "^[0-9a-f]{64}$")), name="documents_sha256_check"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("filename", ""), _negated=True), name="documents_filename_check"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("page_widths__len__gte", 1), ("page_heights__len", models.F("page_widths__len"))
                        ),
                        name="documents_pages_check",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Template",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.TextField()),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("updated_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "channel",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="data_processor.channel",
                    ),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        db_column="created_by",
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="data_processor.user",
                    ),
                ),
            ],
            options={
                "db_table": "templates",
                "indexes": [models.Index(fields=["channel", "id"], name="templates_channel_id_idx")],
                "constraints": [
                    models.UniqueConstraint(
                        models.F("channel"), models.Func(models.F("name"), function="lower"), name="templates_name_key"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("name", ""), _negated=True), name="templates_name_check"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="BatchJob",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("status", models.TextField(db_default=models.Value("pending"))),
                (
                    "template",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="data_processor.template",
                    ),
                ),
                ("total", models.IntegerField()),
                ("done", models.IntegerField(db_default=models.Value(0))),
                ("failed", models.IntegerField(db_default=models.Value(0))),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "channel",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="data_processor.channel",
                    ),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        db_column="created_by",
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="data_processor.user",
                    ),
                ),
            ],
            options={
                "db_table": "batch_jobs",
                "indexes": [models.Index(fields=["channel", "id"], name="batch_jobs_channel_id_idx")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("status__in", ("pending", "running", "done", "failed"))),
                        name="batch_jobs_status_check",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("done__gte", 0),
                            ("failed__gte", 0),
                            ("total__gte", 1),
                            (
                                "total__gte",
                                django.db.models.expressions.CombinedExpression(
                                    models.F("done"), "+", models.F("failed")
                                ),
                            ),
                        ),
                        name="batch_jobs_progress_check",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="DocumentContent",
            fields=[
                (
                    "document",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="content",
                        serialize=False,
                        to="data_processor.document",
                    ),
                ),
                ("data", models.BinaryField()),
                ("thumbnail", models.BinaryField(null=True)),
                ("text_layer", models.JSONField(null=True)),
            ],
            options={
                "db_table": "document_contents",
            },
        ),
        migrations.CreateModel(
            name="BatchItem",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("position", models.IntegerField()),
                ("filename", models.TextField()),
                ("status", models.TextField(db_default=models.Value("pending"))),
                ("error", models.TextField(null=True)),
                (
                    "batch_job",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="items",
                        to="data_processor.batchjob",
                    ),
                ),
                (
                    "document",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="data_processor.document",
                    ),
                ),
            ],
            options={
                "db_table": "batch_items",
                "constraints": [
                    models.UniqueConstraint(fields=("batch_job", "position"), name="batch_items_position_key"),
                    models.UniqueConstraint(fields=("document", "batch_job"), name="batch_items_document_key"),
                    models.CheckConstraint(
                        condition=models.Q(("status__in", ("pending", "running", "done", "failed"))),
                        name="batch_items_status_check",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Annotation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("page", models.IntegerField()),
                ("box_x", models.FloatField()),
                ("box_y", models.FloatField()),
                ("box_width", models.FloatField()),
                ("box_height", models.FloatField()),
                ("label_type", models.TextField()),
                ("label_name", models.TextField()),
                ("colour", models.CharField(max_length=7)),
                ("text", models.TextField(null=True)),
                ("confidence", models.FloatField(null=True)),
                ("validation_status", models.TextField(db_default=models.Value("pending"))),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("updated_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "created_by",
                    models.ForeignKey(
                        db_column="created_by",
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="data_processor.user",
                    ),
                ),
                (
                    "document",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="annotations",
                        to="data_processor.document",
                    ),
                ),
            ],
            options={
                "db_table": "annotations",
                "indexes": [models.Index(fields=["document", "id"], name="annotations_document_id_idx")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("box_height__gt", 0),
                            ("box_width__gt", 0),
                            ("box_x__gte", 0),
                            ("box_y__gte", 0),
                            ("box_x__lt", models.Value(float("inf"), models.FloatField())),
                            ("box_y__lt", models.Value(float("inf"), models.FloatField())),
                            ("box_height__lt", models.Value(float("inf"), models.FloatField())),
                            ("box_width__lt", models.Value(float("inf"), models.FloatField())),
                        ),
                        name="annotations_box_check",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("colour__regex", "^#[0-9a-f]{6}$")), name="annotations_colour_check"
                    ),
                    models.CheckConstraint(condition=models.Q(("page__gte", 1)), name="annotations_page_check"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("confidence__isnull", True),
                            models.Q(("confidence__gte", 0), ("confidence__lte", 1)),
                            _connector="OR",
                        ),
                        name="annotations_confidence_check",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("validation_status__in", ("pending", "valid", "invalid", "corrected"))),
                        name="annotations_validation_status_check",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="TemplateLabel",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("position", models.IntegerField()),
                ("name", models.TextField()),
                ("label_type", models.TextField()),
                ("colour", models.CharField(max_length=7)),
                ("page", models.IntegerField(db_default=models.Value(1))),
                ("box_x", models.FloatField()),
                ("box_y", models.FloatField()),
                ("box_width", models.FloatField()),
                ("box_height", models.FloatField()),
                ("expected_format", models.TextField(null=True)),
                ("required", models.BooleanField(db_default=models.Value(False))),
                (
                    "template",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="labels",
                        to="data_processor.template",
                    ),
                ),
            ],
            options={
                "db_table": "template_labels",
                "constraints": [
                    models.UniqueConstraint(fields=("template", "position"), name="template_labels_position_key"),
                    models.UniqueConstraint(
                        models.F("template"),
                        models.Func(models.F("name"), function="lower"),
                        name="template_labels_name_key",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("position__gte", 1)), name="template_labels_position_check"
                    ),
                    models.CheckConstraint(condition=models.Q(("page__gte", 1)), name="template_labels_page_check"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("box_height__gt", 0),
                            ("box_width__gt", 0),
                            ("box_x__gte", 0),
                            ("box_y__gte", 0),
                            ("box_x__lt", models.Value(1.0, models.FloatField())),
                            ("box_y__lt", models.Value(1.0, models.FloatField())),
                            ("box_height__lte", models.Value(1.0, models.FloatField())),
                            ("box_width__lte", models.Value(1.0, models.FloatField())),
                        ),
                        name="template_labels_box_check",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("colour__regex", "^#[0-9a-f]{6}$")), name="template_labels_colour_check"
                    ),
                ],
            },
        ),
        # Neither bytes nor pictures compress, and only what is stored as it is can be read in parts.
        migrations.RunSQL(
            "ALTER TABLE document_contents ALTER data SET STORAGE EXTERNAL, ALTER thumbnail SET STORAGE EXTERNAL",
            migrations.RunSQL.noop,
        ),
    ]
