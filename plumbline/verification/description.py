"""Compares responses with the OpenAPI document that a service serves, and its examples with its schemas."""
# ruff: noqa: S101  # these assertions are part of tests

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import requests
from openapi_schema_validator import OAS31Validator
from servicekit.codes import Code

OF_ANY_ADDRESS = {Code.NO_SUCH_ADDRESS, Code.METHOD_NOT_ALLOWED}
"""Refusals of unknown calls, which belong to no operation."""
_METHODS = ("get", "post", "put", "patch", "delete")


class Description:
    """The document, prepared to check responses."""

    def __init__(self, document: dict[str, Any], part: str = "[0-9]{1,19}") -> None:
        """`part` is the pattern of a parameter in a path."""
        self.document = document
        self.operations: dict[tuple[str, str], dict[str, Any]] = {
            (method.upper(), path): operation
            for path, item in document["paths"].items()
            for method, operation in item.items()
            if method in _METHODS
        }
        self._paths = {path: re.compile(re.sub(r"{\w+}", part, path)) for path in document["paths"]}

    def operation(self, method: str, path: str) -> dict[str, Any] | None:
        """Return the operation of a request, if there is one."""
        wanted = "GET" if method == "HEAD" else method
        for template, pattern in self._paths.items():
            if pattern.fullmatch(path) and (wanted, template) in self.operations:
                return self.operations[wanted, template]
        return None

    def faults_of_examples(self) -> Iterator[str]:
        """Yield each body whose schema has no example, and each example that its schema does not allow."""
        for (method, path), operation in self.operations.items():
            for status, described in (("body", operation.get("requestBody", {})), *operation["responses"].items()):
                for media_type, content in described.get("content", {}).items():
                    if "schema" in content:
                        for fault in self._faults(content):
                            yield f"{method} {path}: {status} {media_type}: {fault}"

    def _faults(self, content: dict[str, Any]) -> Iterator[str]:
        schemas = self.document["components"]["schemas"]
        schema = content["schema"]
        named = schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
        examples = [content["example"]] if "example" in content else named.get("examples", [])
        if not examples:
            yield "has no example"
        checked = OAS31Validator(schema | {"components": self.document["components"]})
        for example in examples:
            yield from (error.message for error in checked.iter_errors(example))

    def check(self, method: str, path: str, answer: requests.Response) -> None:
        """Fail unless the document has the response's status, its media type, and a schema that matches its body."""
        operation = self.operation(method, path)
        media_type = answer.headers.get("Content-Type", "")
        code = answer.json()["code"] if media_type == "application/problem+json" and answer.content else None
        if operation is None:
            if method == "HEAD" and answer.status_code == Code.NO_SUCH_ADDRESS.status:
                return
            assert code in OF_ANY_ADDRESS, f"{method} {path} is not described: {answer.status_code} {code}"
            return
        about = f"{method} {path} answered {answer.status_code} {code or media_type}"
        assert str(answer.status_code) in operation["responses"], f"{about}: the description lacks this status"
        content = operation["responses"][str(answer.status_code)].get("content", {})
        if not answer.content:
            return
        assert media_type in content, f"{about}: the description lacks this media type"
        if media_type.endswith("json") and "schema" in content[media_type]:
            schema = content[media_type]["schema"] | {"components": self.document["components"]}
            errors = [error.message for error in OAS31Validator(schema).iter_errors(answer.json())]
            assert not errors, f"{about}, which the description does not allow: {errors[0]}"
