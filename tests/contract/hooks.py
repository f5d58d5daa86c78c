"""Hooks of Schemathesis: they put ids that exist into requests, most of which would be answered 404 otherwise."""

from __future__ import annotations

import json
import os
import re
import zlib
from typing import Any

import schemathesis
from schemathesis.hooks import HookContext

from plumbline.verification.checks import samples

VARIABLE = "PLUMBLINE_CONTRACT_GIVEN"
"""The environment variable with what exists, as JSON: `ids` by name, lists of `spare` ones, and the `login`."""
_NOWHERE = 2**62

_given: dict[str, Any] = json.loads(os.environ.get(VARIABLE, "{}"))
_ids: dict[str, Any] = _given.get("ids", {})
_spare: dict[str, list[int]] = _given.get("spare", {})
_login: dict[str, str] = _given.get("login", {})


def with_known(values: Any, known: dict[str, Any]) -> Any:
    """Return `values` with the known ones, in three of four cases; in which ones depends on the values alone."""
    if not isinstance(values, dict) or zlib.crc32(repr(sorted(values.items(), key=str)).encode()) % 4 == 0:
        return values
    return values | {name: known[name] for name in values.keys() & known.keys()}


@schemathesis.hook
def map_path_parameters(_context: HookContext, path_parameters: Any) -> Any:
    """Name an object that exists."""
    return with_known(path_parameters, _ids)


@schemathesis.hook
def map_query(_context: HookContext, query: Any) -> Any:
    """Name a channel that exists."""
    return with_known(query, _ids)


@schemathesis.hook
def map_body(context: HookContext, body: Any) -> Any:
    """Name objects that exist, upload a picture, and log in with the right password."""
    path = context.operation.path if context.operation else ""
    return with_known(body, _login if path == "/auth/login" else _ids | {"file": samples.png()})


@schemathesis.hook
def before_call(_context: HookContext, case: schemathesis.Case, _kwargs: dict[str, Any]) -> None:
    """Delete a spare object instead of the one that other requests name."""
    names = re.findall(r"{(\w+)}", case.path)
    if case.method.upper() == "DELETE" and names and case.path_parameters.get(names[-1]) == _ids.get(names[-1]):
        spare = _spare.get(names[-1])
        case.path_parameters[names[-1]] = spare.pop() if spare else _NOWHERE
