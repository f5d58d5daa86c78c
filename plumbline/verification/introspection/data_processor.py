"""Reads the data-processor: settings, Django's models and urlconf."""

# ruff: noqa: SLF001 - Django documents `_meta` as public

from __future__ import annotations

from importlib import import_module
from typing import Any

from servicekit import describe

from plumbline.verification.introspection import common


def main() -> None:
    """Print what the data-processor declares."""
    settings = import_module("data_processor.config").DataProcessorSettings
    common.set_required_settings(settings)
    import_module("data_processor.process").configure(forward=False)
    models = import_module("django.apps").apps.get_models()
    recorder = import_module("django.db.migrations.recorder").MigrationRecorder
    common.print_facts(
        settings=describe.fields(settings),
        routes=_routes(),
        tables=[_table(model, common.first_line(model)) for model in models if model._meta.managed],
        bookkeeping=[_table(recorder.Migration, "")],
        openapi=import_module("data_processor.openapi").document(_addresses()),
        frames=common.frames(sent=import_module("data_processor.frames").ANNOUNCED),
    )


def _routes() -> list[dict[str, Any]]:
    return [
        {"method": method, "path": path, "does": common.first_line(operation.function)}
        for path, methods in _addresses().items()
        for method, operation in methods.operations.items()
    ]


def _addresses() -> dict[str, Any]:
    routes = import_module("data_processor.web.routing").routes
    return dict(routes(import_module("data_processor.urls").urlpatterns))


def _table(model: Any, purpose: str) -> dict[str, Any]:
    return {
        "name": model._meta.db_table,
        "purpose": purpose,
        "columns": [
            _column(field) | {"primary_key": field in model._meta.pk_fields}
            for field in model._meta.local_concrete_fields
            if field.column
        ],
    }


def _column(field: Any) -> dict[str, Any]:
    connection = import_module("django.db").connection
    deletion = import_module("django.db.models")
    # Only these two become a clause of the constraint; with any other, Postgres prevents the deletion.
    actions = {deletion.CASCADE: "cascade", deletion.SET_NULL: "set null"}
    remote = field.remote_field
    return {
        "name": field.column,
        "type": field.db_type(connection),
        # Django declares no NOT NULL for a column that Postgres generates.
        "nullable": field.null or field.generated,
        "references": {
            "table": remote.model._meta.db_table,
            "on_delete": actions.get(remote.on_delete, "no action"),
        }
        if remote
        else None,
    }


if __name__ == "__main__":
    main()
