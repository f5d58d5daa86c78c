"""Describes the fields of a settings model, and checks an environment against them."""

from __future__ import annotations

import os
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from servicekit.settings import DEPLOYED, ENV_PREFIX

_SIMPLE = {bool: "true or false", int: "integer", float: "number", str: "text", Path: "path of a file"}
_IS_A_FILE = "secrets are files, in `secrets/` of the home"
_STAND_INS: dict[Any, str] = {int: "1", float: "1", bool: "true"}


def variable(field: str) -> str:
    """Return the environment variable that a field is read from."""
    return f"{ENV_PREFIX}{field.upper()}"


def fields(model: type[BaseSettings]) -> list[dict[str, Any]]:
    """Return every field of a model as JSON data. `deployed` is why only the deployment may set it, or empty."""
    return [
        {
            "variable": variable(name),
            "type": _kind(field),
            "default": None if field.is_required() else _default(field.get_default(call_default_factory=True)),
            "description": field.description or "",
            "secret": name.endswith("_file"),
            "deployed": _IS_A_FILE if name.endswith("_file") else str(_extra(field).get(DEPLOYED, "")),
        }
        for name, field in model.model_fields.items()
    ]


def required(model: type[BaseSettings]) -> dict[str, str]:
    """Return a valid value for each field without a default, so that the other fields can be read."""
    return {
        variable(name): _STAND_INS.get(field.annotation, "x")
        for name, field in model.model_fields.items()
        if field.is_required()
    }


def read(model: type[BaseSettings], given: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the values that a process would read from exactly the variables `given`, and the errors; both by variable.

    Replaces this process's environment, so call it in a separate process.
    """
    os.environ.clear()
    os.environ.update(required(model) | dict(given))
    try:
        made = model()
    except ValidationError as error:
        return {}, dict(_problems(model, error))
    every = {variable(name): _default(getattr(made, name)) for name in model.model_fields}
    return {name: every[name] for name in given if name in every}, {}


def _problems(model: type[BaseSettings], error: ValidationError) -> Iterator[tuple[str, str]]:
    for item in error.errors(include_url=False, include_input=False):
        if not item["loc"]:
            yield "", item["msg"]
            continue
        name = str(item["loc"][0])
        yield variable(name), f"must be {_article(_kind(model.model_fields[name]))}"


def _article(kind: str) -> str:
    if kind.startswith(("true", "one of", "text")):
        return kind
    return f"{'an' if kind[0] in 'aeiouI' else 'a'} {kind}"


def _extra(field: FieldInfo) -> dict[str, Any]:
    return field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}


def _kind(field: FieldInfo) -> str:
    return str(_extra(field).get("type", "")) or _type(field.annotation) + _bounds(field)


def _type(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return "one of " + ", ".join(map(str, arguments))
    if origin in (Union, types.UnionType):
        return _type(next(one for one in arguments if one is not type(None)))
    if origin in (tuple, list):
        return "list, separated by commas"
    return _SIMPLE.get(annotation) or str(getattr(annotation, "__name__", annotation))


def _bounds(field: FieldInfo) -> str:
    words = []
    for rule in field.metadata:
        match rule:
            case annotated_types.Ge(ge=low):
                words.append(f"from {low}")
            case annotated_types.Gt(gt=low):
                words.append(f"above {low}")
            case annotated_types.Le(le=high):
                words.append(f"to {high}")
            case annotated_types.Lt(lt=high):
                words.append(f"below {high}")
            case annotated_types.MaxLen(max_length=high):
                words.append(f"of at most {high} characters")
    return " " + " ".join(words) if words else ""


def _default(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return ",".join(map(str, value))
    return str(value)
