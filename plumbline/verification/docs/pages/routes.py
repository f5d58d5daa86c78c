"""docs/generated/routes.md: every address of the three services."""

from __future__ import annotations

from plumbline.verification.docs import words
from plumbline.verification.docs.markdown import code, sentence, table
from plumbline.verification.introspection import facts

_INTRODUCTION = """\
# Routes

Paths are as seen through the front door, but for `/ingest`, which is on the internal listener alone, and
data-processor's `/auth/operator`, which only the front door itself asks. `WS` is a WebSocket. Sessions, pages, errors
and frames are told in [Calls and frames](../calls.md).

"""


def page() -> str:
    """Return one table a service."""
    described = words.load("routes")
    parts = []
    for service in facts.services().values():
        words.require(
            described[service.name],
            [_name(route) for route in service.routes if not route.does],
            "routes",
            f"addresses of {service.name} without a docstring",
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
