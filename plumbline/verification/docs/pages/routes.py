"""docs/generated/routes.md: every route of the three services, and the pages of the front door."""

from __future__ import annotations

from plumbline.verification.checks import pages
from plumbline.verification.docs import words
from plumbline.verification.docs.markdown import code, sentence, table
from plumbline.verification.introspection import facts

_INTRODUCTION = """\
# Routes

Paths are those of the front door, with two exceptions: `/ingest` is on the internal listener only, and only the front
door itself calls `/auth/operator` of the data-processor. Caddy serves some pages itself, without a session. `WS` is a
WebSocket. [Calls and frames](../calls.md) describes sessions, pages, errors and frames.

"""
_HEADS = ("method", "path", "what it does")


def page() -> str:
    """Return one table for the pages of the front door, and one for each service."""
    described = words.load("routes")
    rows = [(code("GET"), code(path), sentence(does)) for path, does in pages.PAGES.items()]
    parts = ["## caddy\n\n" + table(_HEADS, rows)]
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
        parts.append(f"## {service.name}\n\n" + table(_HEADS, rows))
    return _INTRODUCTION + "\n".join(parts)


def _name(route: facts.Route) -> str:
    return f"{route.method} {route.path}"
