"""Reads the log-sink: settings and Starlette's routes."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from servicekit import describe

from plumbline.verification.introspection import common


def main() -> None:
    """Print what the log-sink declares."""
    settings = import_module("log_sink.settings").LogSinkSettings
    common.set_required_settings(settings)
    app = import_module("log_sink.app").build(settings())
    common.print_facts(
        settings=describe.fields(settings),
        routes=[item for route in app.routes for item in _routes(route)],
    )


def _routes(route: Any) -> list[dict[str, Any]]:
    methods = getattr(route, "methods", None)
    if methods is None:  # a mount: files under a path
        return [{"method": "GET", "path": f"{route.path}/{{path}}", "does": ""}]
    return [
        {"method": method, "path": route.path, "does": common.first_line(route.endpoint)}
        for method in sorted(methods - {"HEAD"})
    ]


if __name__ == "__main__":
    main()
