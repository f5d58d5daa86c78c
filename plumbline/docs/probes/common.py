"""What the probes share: settings in words, and surroundings in which a service's code can be imported."""

from __future__ import annotations

import atexit
import inspect
import json
import os
import shutil
import sys
import tempfile
import types
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic.fields import FieldInfo
from servicekit.settings import ENV_PREFIX, ServiceSettings

_SIMPLE = {bool: "true or false", int: "integer", float: "number", str: "text", Path: "path of a file"}


def surroundings(model: type[ServiceSettings]) -> None:
    """Give every setting without a default a value that lets the code be imported: numbers, words, stand-in files."""
    folder = Path(tempfile.mkdtemp(prefix="plumbline-docs-"))
    atexit.register(shutil.rmtree, folder)
    for name, field in model.model_fields.items():
        if field.is_required():
            stand_in = folder / name
            stand_in.write_text("read by nobody, opens nothing")
            values: dict[Any, str] = {int: "1", float: "1", bool: "true", str: "nobody"}
            os.environ[f"{ENV_PREFIX}{name.upper()}"] = values.get(field.annotation or Path, str(stand_in))


def settings(model: type[ServiceSettings]) -> list[dict[str, Any]]:
    """Return every field of a settings class as JSON data; see plumbline.docs.facts.Setting."""
    return [
        {
            "variable": f"{ENV_PREFIX}{name.upper()}",
            "type": _type(field.annotation) + _bounds(field),
            "default": None if field.is_required() else _default(field.get_default(call_default_factory=True)),
            "description": field.description or "",
            "secret": name.endswith("_file"),
        }
        for name, field in model.model_fields.items()
    ]


def first_line(thing: Any) -> str:
    """Return the first paragraph of a docstring as one line, empty if there is none."""
    return " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split())


def answer(**said: list[dict[str, Any]]) -> None:
    """Print what was found."""
    json.dump({"tables": [], "bookkeeping": [], **said}, sys.stdout)


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
