"""Prints every statement of the service, by module and name, as JSON: `python -m data_processor_testkit.statements`.

Runs in the service's environment.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
import sys

import data_processor

_STATEMENT = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b")
_NOT_IMPORTED = re.compile(r"\.(__main__|wsgi|settings|worker_settings|migrations)\b")


class _Found(Exception):  # noqa: N818  # raised to stop, not to report an error
    pass


def constants() -> dict[str, str]:
    """Return every constant of the package that is a statement."""
    found: dict[str, str] = {}
    for module in pkgutil.walk_packages(data_processor.__path__, "data_processor."):
        if _NOT_IMPORTED.search(module.name):
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            # What has braces is a template of statements.
            if name.isupper() and isinstance(value, str) and _STATEMENT.match(value) and "{" not in value:
                found.setdefault(value, f"{module.name.removeprefix('data_processor.')}.{name}")
    return {name: statement for statement, name in found.items()}


def written() -> dict[str, str]:
    """Return the statements that the service writes for a request."""
    from data_processor.annotations import services
    from data_processor.database import statements

    def stop(statement: str, *_: object) -> None:
        raise _Found(statement)

    statements.row = stop  # type: ignore[assignment]  # which never returns
    try:
        services.annotation_update(document_id=1, annotation_id=1, user_id=1, changes={"label_name": "x"})
    except _Found as found:
        return {"annotations.services.update": str(found)}
    raise RuntimeError("a change of an annotation made no statement")


if __name__ == "__main__":
    from data_processor import process

    process.configure(forward=False)
    json.dump({**constants(), **written()}, sys.stdout)
