"""Reads the settings models of all components, in a separate process, because the harness imports no service.

Reads {part: {variable: value}} from standard input. Prints {part: {"fields": …, "values": …, "problems": …}}.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from typing import Any

from servicekit import describe

from plumbline.components import TABLE

MODELS = {one.name: one.settings_model for one in TABLE if one.settings_model}
"""Every component with settings, and the class that declares them."""


def _ask(part: str, given: dict[str, str]) -> dict[str, Any]:
    module, _, name = MODELS[part].partition(":")
    model = getattr(import_module(module), name)
    values, problems = describe.read(model, given)
    return {"fields": describe.fields(model), "values": values, "problems": problems}


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    json.dump({part: _ask(part, asked.get(part, {})) for part in MODELS}, sys.stdout)
