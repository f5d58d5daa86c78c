"""Shared parts of the services' OpenAPI descriptions: refusals, health, session schemes and examples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from servicekit.codes import Code
from servicekit.facts import SESSION_COOKIE, VERSION
from servicekit.problems import CONTENT_TYPE, problem

SECURITY_SCHEMES: dict[str, dict[str, Any]] = {
    "cookie": {"type": "apiKey", "in": "cookie", "name": SESSION_COOKIE},
    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
}
SECURITY: list[dict[str, list[str]]] = [{name: []} for name in SECURITY_SCHEMES]
"""Requirement of a call that needs a session: any one of the schemes."""


class FieldError(BaseModel):
    """An error in one field."""

    field: str
    message: str


class Problem(BaseModel):
    """A refusal (RFC 9457)."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    request_id: str | None
    errors: list[FieldError] | None = None


class Health(BaseModel):
    """State of this service."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "service": "backend", "version": VERSION, "stack_id": "3f2a9c4e", "status": "ok",
                    "schema_revision": "0007_sessions", "reason": None,
                }
            ]
        }
    )  # fmt: skip

    service: str
    version: str
    stack_id: str
    status: Literal["ok", "unavailable"]
    schema_revision: str | None
    reason: str | None = None


_PROBLEM = {"$ref": "#/components/schemas/Problem"}
_EXAMPLE_ID = "5f0c7d1e9ab2434b8f6de1c0a7b35d92"


def refusals(codes: Iterable[Code], statuses: Mapping[Code, int] | None = None) -> dict[int, dict[str, Any]]:
    """Return the descriptions of the answers that refuse with these codes, by status.

    `statuses` are those that differ from the codes' usual ones.
    """
    by_status: dict[int, list[Code]] = {}
    for code in sorted(set(codes), key=list(Code).index):
        by_status.setdefault((statuses or {}).get(code, code.status), []).append(code)
    return {status: _refusal(status, listed) for status, listed in sorted(by_status.items())}


def _refusal(status: int, codes: list[Code]) -> dict[str, Any]:
    about_fields = {"errors": [{"field": "name", "message": "is missing"}]} if Code.INVALID in codes else {}
    code = Code.INVALID if about_fields else codes[0]
    example = problem(code, code.meaning, status=status, request_id=_EXAMPLE_ID, **about_fields)
    schema = {"allOf": [_PROBLEM], "properties": {"code": {"enum": codes}}}
    return {
        "description": "\n".join(f"- `{code}`: {code.meaning}" for code in codes),
        "content": {CONTENT_TYPE: {"schema": schema, "example": example}},
    }


def add_examples(document: dict[str, Any], examples: Mapping[str, Any] | None = None) -> None:
    """Give the schema of each body an example: that of its name in `examples`, or one composed of those of its parts.

    Raises LookupError for a body that has neither.
    """
    schemas = document["components"]["schemas"]
    for name, example in (examples or {}).items():
        schemas[name]["examples"] = [example]
    for item in document["paths"].values():
        for operation in item.values():
            for described in (operation.get("requestBody", {}), *operation["responses"].values()):
                for content in described.get("content", {}).values():
                    name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
                    if name:
                        schemas[name].setdefault("examples", [_example(schemas[name], schemas)])


def _example(schema: dict[str, Any], schemas: dict[str, Any]) -> Any:
    if "$ref" in schema:
        return _example(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if "examples" in schema:
        return schema["examples"][0]
    if schema.get("type") == "array":
        return [_example(schema["items"], schemas)]
    if "properties" in schema:
        return {name: _example(part, schemas) for name, part in schema["properties"].items()}
    if {"type": "null"} in schema.get("anyOf", []):
        return None
    raise LookupError(f"the OpenAPI document has no example of {schema}")
