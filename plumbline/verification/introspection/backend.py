"""Reads the backend: settings, SQLAlchemy's metadata, FastAPI's routes."""

from __future__ import annotations

import asyncio
import json
from importlib import import_module
from typing import Any

from alembic.migration import MigrationContext
from servicekit import describe
from sqlalchemy import Column, Table
from sqlalchemy.dialects import postgresql

from plumbline.verification.introspection import common

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]


def main() -> None:
    """Print what the backend declares."""
    settings = import_module("backend.settings").BackendSettings
    common.set_required_settings(settings)
    app = import_module("backend.app").build(settings())
    models = import_module("backend.live.models")
    metadata = import_module("backend.tables").metadata
    common.print_facts(
        settings=describe.fields(settings),
        routes=[item for route in app.routes for item in _routes(route)],
        tables=[_table(table) for table in metadata.tables.values()],
        bookkeeping=[_table(MigrationContext.configure(dialect_name="postgresql")._version)],  # noqa: SLF001
        openapi=_openapi(app),
        frames=common.frames(sent=models.SENT, received=models.RECEIVED),
    )


def _openapi(app: Any) -> dict[str, Any]:
    """Return the description as the route sends it, which completes the framework's."""
    (route,) = (route for route in app.routes if route.path == "/openapi.json")
    return dict(json.loads(asyncio.run(route.endpoint(None)).body))


def _routes(route: Any) -> list[dict[str, Any]]:
    methods = getattr(route, "methods", None)
    return [
        {"method": method, "path": route.path, "does": common.first_line(route.endpoint)}
        for method in (["WS"] if methods is None else sorted(methods - {"HEAD"}))
    ]


def _table(table: Table) -> dict[str, Any]:
    return {"name": table.name, "purpose": table.comment or "", "columns": [_column(one) for one in table.columns]}


def _column(column: Column[Any]) -> dict[str, Any]:
    key = next(iter(column.foreign_keys), None)
    return {
        "name": column.name,
        "type": column.type.compile(dialect=_DIALECT).lower(),
        "nullable": bool(column.nullable),
        "primary_key": column.primary_key,
        "references": {"table": key.column.table.name, "on_delete": (key.ondelete or "no action").lower()}
        if key
        else None,
    }


if __name__ == "__main__":
    main()
