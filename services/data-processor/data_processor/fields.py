"""Columns and constraints of several tables."""

from __future__ import annotations

from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import Now

from data_processor.backend_tables import Channel, User


def moment() -> models.DateTimeField[object, object]:
    """Return a column that the database fills with the time of the transaction."""
    return models.DateTimeField(db_default=Now())


def author(name: str) -> models.ForeignKey[object, object]:
    """Return a reference to the user who created a row. The row stays when the user is deleted."""
    return models.ForeignKey(User, models.SET_NULL, null=True, db_column=name, db_index=False, related_name="+")


def author_index(table: str, name: str) -> models.Index:
    """Return the index that the deletion of a user needs."""
    return reference_index(table, name)


def reference_index(table: str, name: str) -> models.Index:
    """Return the index that the deletion of the row needs that the column `name`_id of a table may refer to."""
    return models.Index(fields=[name], condition=Q(**{f"{name}__isnull": False}), name=f"{table}_{name}_idx")


def channel() -> models.ForeignKey[object, object]:
    """Return a reference to the channel of a row. The row is deleted with the channel."""
    return models.ForeignKey(Channel, models.CASCADE, db_index=False, related_name="+")


def box_check(name: str, *, relative: bool) -> models.CheckConstraint:
    """Return the constraint that a box is finite, has an area and starts on the page; a relative one also ends on it.

    Postgres sorts NaN above infinity, so the upper bounds refuse both.
    """
    bound = Value(1.0 if relative else float("inf"), models.FloatField())
    rule = Q(box_x__gte=0, box_y__gte=0, box_width__gt=0, box_height__gt=0)
    rule &= Q(box_x__lt=bound, box_y__lt=bound)
    rule &= Q(box_width__lte=bound, box_height__lte=bound) if relative else Q(box_width__lt=bound, box_height__lt=bound)
    return models.CheckConstraint(condition=rule, name=name)


def colour_check(name: str) -> models.CheckConstraint:
    """Return the constraint that a colour has the form #rrggbb in lower case."""
    return models.CheckConstraint(condition=Q(colour__regex=r"^#[0-9a-f]{6}$"), name=name)
