"""Serves the OpenAPI document, completed with security schemes and the media type of refusals."""

from __future__ import annotations

from functools import cache
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from servicekit import inside, repeats
from servicekit.codes import Code
from servicekit.openapi import SECURITY, SECURITY_SCHEMES, add_examples, refusals
from servicekit.problems import CONTENT_TYPE

from backend import examples

_OF_JSON = (Code.INVALID_JSON, Code.WRONG_MEDIA_TYPE)
_OF_FORMS = (Code.MALFORMED_BODY,)
_STATUSES = {Code.INVALID_JSON: 422, Code.MALFORMED_BODY: 422}
"""Where this service's statuses differ from the usual ones."""
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
    schemas = schema["components"]["schemas"]
    schema["components"]["securitySchemes"] = SECURITY_SCHEMES
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            if path not in _OPEN:
                operation["security"] = SECURITY
            answers = {status: one for status, one in operation["responses"].items() if not _refused(one)}
            refused = refusals(_codes(path, method, operation), _STATUSES)
            operation["responses"] = answers | {str(status): one for status, one in refused.items()}
    for framework in ("HTTPValidationError", "ValidationError"):
        schemas.pop(framework, None)
    add_examples(schema, examples.OF_SCHEMAS)


def _codes(path: str, method: str, operation: dict[str, Any]) -> set[Code]:
    """Return the codes that a route declares, and those of every route of its kind."""
    found = {code for answer in operation["responses"].values() for code in _refused(answer)}
    found.add(Code.INTERNAL_ERROR)
    if path in inside.OPEN_PATHS:
        return found
    found |= {Code.FRONT_DOOR_ONLY, Code.DATABASE_AWAY, Code.SCHEMA_BEHIND, Code.OVERLOADED}
    if method != "get":
        found.add(Code.FOREIGN_ORIGIN)
    if path not in _OPEN:
        found.add(Code.UNAUTHENTICATED)
    body = operation.get("requestBody", {}).get("content", {})
    if body:
        found |= {Code.BODY_TOO_LARGE, *(_OF_JSON if "application/json" in body else _OF_FORMS)}
    if body or operation.get("parameters"):
        found.add(Code.INVALID)
    if repeats.PARAMETER in operation.get("parameters", []):
        found |= {Code.KEY_IN_USE, Code.KEY_REUSED}
    return found


def _refused(answer: dict[str, Any]) -> list[Code]:
    """Return the codes that an answer is described to have. The framework's own 422 has none."""
    content = answer.get("content", {})
    enum = content.get(CONTENT_TYPE, {}).get("schema", {}).get("properties", {}).get("code", {}).get("enum", [])
    if not enum and "HTTPValidationError" in str(content):
        return [Code.INVALID]
    return [Code(code) for code in enum]
