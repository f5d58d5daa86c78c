"""The description of the service in OpenAPI, generated from its routes and the declarations of their operations."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from http import HTTPStatus
from inspect import getdoc
from typing import Any, Literal

import orjson
from django.http import HttpResponse
from django.urls import get_resolver
from pydantic import TypeAdapter
from servicekit import inside
from servicekit.codes import Code
from servicekit.facts import VERSION
from servicekit.openapi import SECURITY, SECURITY_SCHEMES, Problem, add_examples, refusals

from data_processor import examples
from data_processor.web.operations import JSON, Operation, operation
from data_processor.web.routing import SAFE, IdConverter, Methods, routes

_IN_PATH = re.compile(r"{(\w+)}")
Mode = Literal["validation", "serialization"]


@operation(answers={200: {JSON: dict[str, Any]}})
def openapi() -> HttpResponse:
    """Describe the data-processor's calls in OpenAPI."""
    return HttpResponse(_written(), content_type=JSON)


@cache
def _written() -> bytes:
    return orjson.dumps(document(dict(routes(get_resolver().url_patterns))))


def document(addresses: Mapping[str, Methods]) -> dict[str, Any]:
    """Return the OpenAPI document of these addresses."""
    every = [one for methods in addresses.values() for one in methods.operations.values()]
    schemas = _Schemas(every)
    paths = {
        path: {method.lower(): _operation(path, method, one, schemas) for method, one in methods.operations.items()}
        for path, methods in addresses.items()
    }
    described = {
        "openapi": "3.1.0",
        "info": {"title": "Plumbline: data-processor", "version": VERSION},
        "paths": paths,
        "components": {"schemas": schemas.components, "securitySchemes": SECURITY_SCHEMES},
    }
    add_examples(described, examples.of_schemas())
    return described


class _Schemas:
    """The JSON schemas of all types in requests and responses."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        types: dict[tuple[str, Mode], Any] = {(repr(Problem), "serialization"): Problem}
        for one in operations:
            for source in one.sources.values():
                types |= {(repr(kind), "validation"): kind for kind in source.body.values()}
            for content in one.answers.values():
                types |= {(repr(kind), "serialization"): kind for kind in content.values() if kind is not None}
        adapters = [(name, mode, TypeAdapter(kind)) for (name, mode), kind in types.items()]
        self._found, rest = TypeAdapter.json_schemas(adapters, ref_template="#/components/schemas/{model}")
        self.components = rest["$defs"]

    def content(self, by_media_type: Mapping[str, Any], mode: Mode) -> dict[str, Any]:
        """Return the content of a body by media type. A type of None means bytes."""
        return {
            media_type: {} if kind is None else {"schema": self._found[repr(kind), mode]}
            for media_type, kind in by_media_type.items()
        }


def _operation(path: str, method: str, one: Operation, schemas: _Schemas) -> dict[str, Any]:
    sources = one.sources.values()
    text = " ".join((getdoc(one.function) or "").split())
    described: dict[str, Any] = {
        "operationId": one.function.__name__,
        "tags": [_tag(one)],
        "summary": text.partition(". ")[0].removesuffix(".").replace("`", ""),
        "description": text,
        "parameters": [
            *(IdConverter.parameter(name) for name in _IN_PATH.findall(path)),
            *(parameter for source in sources for parameter in source.parameters),
        ],
        "responses": _answers(one, schemas) | _refusals(path, method, one),
    }
    if body := {media_type: kind for source in sources for media_type, kind in source.body.items()}:
        described["requestBody"] = {"required": True, "content": schemas.content(body, "validation")}
    if any(source.session for source in sources):
        described["security"] = SECURITY
    return described


def _tag(one: Operation) -> str:
    """Return the part of the service that a call belongs to: its package."""
    part = one.function.__module__.split(".")[1]
    return "service" if part in ("openapi", "web") else part


def _answers(one: Operation, schemas: _Schemas) -> dict[str, Any]:
    return {
        str(status): {"description": HTTPStatus(status).phrase} | ({"content": found} if found else {})
        for status, content in one.answers.items()
        for found in [schemas.content(content, "serialization")]
    }


def _refusals(path: str, method: str, one: Operation) -> dict[str, Any]:
    codes = {*one.refuses, Code.INTERNAL_ERROR}
    if method not in SAFE:
        codes.add(Code.FOREIGN_ORIGIN)
    if path not in inside.OPEN_PATHS:
        codes.add(Code.FRONT_DOOR_ONLY)
    if _IN_PATH.search(path):
        # What is no id, or is larger than any, matches no route.
        codes.add(Code.NO_SUCH_ADDRESS)
    return {str(status): described for status, described in refusals(codes).items()}
