"""What the scripts share: settings with which a service's code can be imported, and how they print the result."""

from __future__ import annotations

import atexit
import inspect
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter
from servicekit.describe import variable
from servicekit.settings import ServiceSettings


def set_required_settings(model: type[ServiceSettings]) -> None:
    """Give every setting without a default a value with which the code can be imported."""
    folder = Path(tempfile.mkdtemp(prefix="plumbline-docs-"))
    atexit.register(shutil.rmtree, folder)
    for name, field in model.model_fields.items():
        if field.is_required():
            stand_in = folder / name
            stand_in.write_text("a placeholder, not a secret")
            values: dict[Any, str] = {int: "1", float: "1", bool: "true", str: "placeholder"}
            os.environ[variable(name)] = values.get(field.annotation or Path, str(stand_in))


def first_line(thing: Any) -> str:
    """Return the first paragraph of a docstring as one line, empty if there is none."""
    return " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split())


def frames(**directions: tuple[type, ...]) -> dict[str, Any]:
    """Return the JSON schemas of frames: the names of those of each direction, and all `schemas` by name."""
    every: list[tuple[type, Literal["serialization"], TypeAdapter[Any]]] = [
        (kind, "serialization", TypeAdapter(kind)) for kinds in directions.values() for kind in kinds
    ]
    _, rest = TypeAdapter.json_schemas(every, ref_template="#/components/schemas/{model}")
    names = {direction: [kind.__name__ for kind in kinds] for direction, kinds in directions.items()}
    return {**names, "schemas": rest["$defs"]}


def print_facts(
    *, openapi: dict[str, Any] | None = None, frames: dict[str, Any] | None = None, **said: list[dict[str, Any]]
) -> None:
    """Print what was found, as JSON."""
    json.dump({"tables": [], "bookkeeping": [], "openapi": openapi or {}, "frames": frames or {}, **said}, sys.stdout)
