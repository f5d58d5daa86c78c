"""Statements about the service itself."""

from __future__ import annotations

REVISION = "SELECT version_num FROM alembic_version"

RECORD_EVENT = """
    INSERT INTO stack_events (stack_id, component, event, detail)
    VALUES (%(stack_id)s, %(component)s, %(event)s, %(detail)s)
    RETURNING id
"""
