"""Users can be deleted: what they made stays, and whatever the deletion looks for has an index."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models

AUTHORS = (
    ("annotation", "annotations", "created_by"),
    ("batchjob", "batch_jobs", "created_by"),
    ("document", "documents", "uploaded_by"),
    ("template", "templates", "created_by"),
)


def _reference(column: str) -> models.ForeignKey[object, object]:
    return models.ForeignKey(
        db_column=column,
        db_index=False,
        null=True,
        on_delete=django.db.models.deletion.SET_NULL,
        related_name="+",
        to="data_processor.user",
    )


def _index(table: str, column: str) -> models.Index:
    return models.Index(condition=models.Q((f"{column}__isnull", False)), fields=[column], name=f"{table}_{column}_idx")


class Migration(migrations.Migration):
    dependencies = [("data_processor", "0001_foundation")]

    operations = [
        *(migrations.AlterField(model, column, _reference(column)) for model, _, column in AUTHORS),
        *(migrations.AddIndex(model, _index(table, column)) for model, table, column in AUTHORS),
    ]
