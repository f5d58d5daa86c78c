"""What the probes share: surroundings in which a service's code can be imported, and how they answer."""

from __future__ import annotations

import atexit
import inspect
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from servicekit.describe import variable
from servicekit.settings import ServiceSettings


def surroundings(model: type[ServiceSettings]) -> None:
    """Give every setting without a default a value that lets the code be imported: numbers, words, stand-in files."""
    folder = Path(tempfile.mkdtemp(prefix="plumbline-docs-"))
    atexit.register(shutil.rmtree, folder)
    for name, field in model.model_fields.items():
        if field.is_required():
            stand_in = folder / name
            stand_in.write_text("read by nobody, opens nothing")
            values: dict[Any, str] = {int: "1", float: "1", bool: "true", str: "nobody"}
            os.environ[variable(name)] = values.get(field.annotation or Path, str(stand_in))


def first_line(thing: Any) -> str:
    """Return the first paragraph of a docstring as one line, empty if there is none."""
    return " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split())


def answer(**said: list[dict[str, Any]]) -> None:
    """Print what was found."""
    json.dump({"tables": [], "bookkeeping": [], **said}, sys.stdout)
