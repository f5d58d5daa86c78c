"""Serves the OpenAPI document, completed with security schemes and the media type of refusals."""

from __future__ import annotations

from functools import cache
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from servicekit.openapi import SECURITY, SECURITY_SCHEMES
from servicekit.problems import CONTENT_TYPE

_OPEN = ("/health", "/health/live", "/auth/register", "/auth/login", "/auth/logout")


def install(app: FastAPI) -> None:
    """Make `app`, created without an `openapi_url`, serve the completed document at /openapi.json."""

    @cache
    def document() -> bytes:
        # Cached: FastAPI encodes the document for each request.
        schema = app.openapi()
        _complete(schema)
        return orjson.dumps(schema)

    async def openapi(_request: Request) -> Response:
        """Describe the backend's calls in OpenAPI."""
        return Response(document(), media_type="application/json")

    app.add_route("/openapi.json", openapi, include_in_schema=False)


def _complete(schema: dict[str, Any]) -> None:
    schema["components"]["securitySchemes"] = SECURITY_SCHEMES
    for path, operations in schema["paths"].items():
        for operation in operations.values():
            if path not in _OPEN:
                operation["security"] = SECURITY
            for response in operation["responses"].values():
                content = response.get("content", {})
                if CONTENT_TYPE in content:
                    content.pop("application/json", None)
