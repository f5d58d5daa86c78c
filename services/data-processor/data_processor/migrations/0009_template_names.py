"""Begin the index of the templates' names with the name.

It began with the channel, as that of the lists does. Postgres then read a channel's templates by their names, all of
them, and sorted them for each page of a list.
"""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("data_processor", "0008_labels_text")]

    operations = [
        migrations.RemoveConstraint("template", "templates_name_key"),
        migrations.AddConstraint(
            "template",
            models.UniqueConstraint(
                models.Func(models.F("name"), function="lower"), "channel", name="templates_name_key"
            ),
        ),
    ]
