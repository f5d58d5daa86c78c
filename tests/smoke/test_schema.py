"""The running database has the schema that the migrations of both services declare, and nothing else.

Protects from a database that differs from what the code expects.
"""

from __future__ import annotations

from typing import Any

import psycopg

from plumbline.verification.schema import comparison


def test_the_database_has_exactly_the_declared_schema(database: psycopg.Connection[dict[str, Any]]) -> None:
    comparison.require_declared(database)
