"""Store the labels of a template as they are answered.

Those of existing templates are stored when they are replaced.
"""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("data_processor", "0007_queue_indexes")]

    operations = [
        migrations.AddField("template", "labels_text", models.TextField(null=True)),
        migrations.AddField("template", "labels_text_of", models.TextField(null=True)),
    ]
