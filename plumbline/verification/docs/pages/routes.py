"""docs/generated/routes.md: every route of the three services."""

from __future__ import annotations

from plumbline.verification.docs import words
from plumbline.verification.docs.markdown import code, sentence, table
from plumbline.verification.introspection import facts

_INTRODUCTION = """\
# Routes

Paths are those of the front door, with two exceptions: `/ingest` is on the internal listener only, and only the front
door itself calls `/auth/operator` of the data-processor. `WS` is a WebSocket. [Calls and frames](../calls.md) describes
sessions, pages, errors and frames.

"""


def page() -> str:
    """Return one table for each service."""
    described = words.load("routes")
    parts = []
    for service in facts.services().values():
        words.require(
            described[service.name],
            [_name(route) for route in service.routes if not route.does],
            "routes",
            f"routes of {service.name}, which have no docstring",
        )
        ordered = sorted(service.routes, key=lambda route: route.path)
        rows = [
            (code(route.method), code(route.path), sentence(route.does or described[service.name][_name(route)]))
            for route in ordered
        ]
        parts.append(f"## {service.name}\n\n" + table(("method", "path", "what it does"), rows))
    return _INTRODUCTION + "\n".join(parts)


def _name(route: facts.Route) -> str:
    return f"{route.method} {route.path}"
