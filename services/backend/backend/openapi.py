"""What the generated API description cannot know: how sessions are carried, and that refusals are problems."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from servicekit.facts import SESSION_COOKIE
from servicekit.problems import CONTENT_TYPE

_OPEN = ("/health", "/health/live", "/auth/register", "/auth/login", "/auth/logout")
_SCHEMES = {
    "cookie": {"type": "apiKey", "in": "cookie", "name": SESSION_COOKIE},
    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
}


def install(app: FastAPI) -> None:
    """Complete the description that `app` serves at /openapi.json."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            _complete(generate())
        return generate()

    app.openapi = openapi  # type: ignore[method-assign]


def _complete(schema: dict[str, Any]) -> None:
    schema["components"]["securitySchemes"] = _SCHEMES
    for path, operations in schema["paths"].items():
        for operation in operations.values():
            if path not in _OPEN:
                operation["security"] = [{name: []} for name in _SCHEMES]
            for response in operation["responses"].values():
                content = response.get("content", {})
                if CONTENT_TYPE in content:
                    content.pop("application/json", None)
