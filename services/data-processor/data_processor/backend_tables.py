"""The backend's tables that our tables refer to. Alembic owns them: Django neither creates nor changes them."""

from __future__ import annotations

from django.db import models


class User(models.Model):
    """A user account."""

    username = models.TextField()
    display_name = models.TextField()
    is_operator = models.BooleanField()

    class Meta:
        managed = False
        db_table = "users"


class Channel(models.Model):
    """A channel, with its members and documents."""

    name = models.TextField()
    created_by = models.ForeignKey(User, models.DO_NOTHING, db_column="created_by", null=True)

    class Meta:
        managed = False
        db_table = "channels"


class Membership(models.Model):
    """A user's membership in a channel."""

    pk = models.CompositePrimaryKey("channel_id", "user_id")
    channel = models.ForeignKey(Channel, models.DO_NOTHING)
    user = models.ForeignKey(User, models.DO_NOTHING)

    class Meta:
        managed = False
        db_table = "memberships"


REQUIRED = ("users", "channels", "memberships")
"""Tables that must exist before our migrations run."""
