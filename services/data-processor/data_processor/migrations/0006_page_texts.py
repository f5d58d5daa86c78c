"""The text of documents is stored page by page, and each document says how far its reading is."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models

STATUSES = ("pending", "running", "done", "failed")
ENGINES = ("text-layer", "tesseract", "none")

# Documents of earlier releases are read after those that are uploaded from now on, and after batches.
READ_EARLIER_DOCUMENTS = """
SELECT procrastinate_defer_jobs_v1(array_agg(
    ROW('channel ' || channel_id, 'read_document', -100000, NULL, NULL,
        jsonb_build_object('document_id', id, 'again', false), NULL)::procrastinate_job_to_defer_v1
    ORDER BY id DESC
)) FROM documents HAVING count(*) > 0
"""


class Migration(migrations.Migration):
    dependencies = [("data_processor", "0005_template_sources")]

    operations = [
        # It was never served. `page_texts` has the words instead, once the documents are read.
        migrations.RemoveField("documentcontent", "text_layer"),
        migrations.AddField("document", "text_status", models.TextField(db_default=models.Value("pending"))),
        migrations.AddField("document", "text_error", models.TextField(null=True)),
        migrations.AddConstraint(
            "document",
            models.CheckConstraint(
                condition=models.Q(("text_status__in", STATUSES)), name="documents_text_status_check"
            ),
        ),
        migrations.CreateModel(
            name="PageText",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "document_id", "page", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "document",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="data_processor.document",
                    ),
                ),
                ("page", models.IntegerField()),
                ("engine", models.TextField()),
                ("angle", models.FloatField()),
                ("words", models.JSONField()),
                ("text", models.TextField()),
                ("error", models.TextField(null=True)),
            ],
            options={
                "db_table": "page_texts",
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("page__gte", 1)), name="page_texts_page_check"),
                    models.CheckConstraint(condition=models.Q(("engine__in", ENGINES)), name="page_texts_engine_check"),
                ],
            },
        ),
        migrations.RunSQL(READ_EARLIER_DOCUMENTS, migrations.RunSQL.noop),
    ]
