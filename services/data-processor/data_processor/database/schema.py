"""Foreign keys whose `on_delete` Postgres executes, so that it also applies to plain SQL and other services."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.backends.ddl_references import Statement
from django.db.backends.postgresql import schema

_ON_DELETE = {models.CASCADE: " ON DELETE CASCADE", models.SET_NULL: " ON DELETE SET NULL"}


class DatabaseSchemaEditor(schema.DatabaseSchemaEditor):
    """Writes a foreign key's `on_delete` into its constraint."""

    # Django would write the constraint of an added column inline, without the clause.
    sql_create_column_inline_fk = ""

    def _create_fk_sql(self, model: type[models.Model], field: Any, suffix: str) -> Statement:
        statement: Statement = super()._create_fk_sql(model, field, suffix)  # type: ignore[misc]  # the stubs lack it
        clause = _ON_DELETE.get(field.remote_field.on_delete, "")
        statement.parts["deferrable"] = f"{clause}{statement.parts['deferrable']}"  # type: ignore[assignment]
        return statement
