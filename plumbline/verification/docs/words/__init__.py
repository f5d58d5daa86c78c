"""Descriptions of what code does not describe itself. The generator fails if one is missing or about nothing."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from plumbline import ROOT
from plumbline.errors import PlumblineError

FOLDER = Path(__file__).parent


def load(name: str) -> dict[str, Any]:
    """Return what `words/<name>.toml` holds."""
    with (FOLDER / f"{name}.toml").open("rb") as handle:
        return tomllib.load(handle)


def require(words: Iterable[str], things: Iterable[str], where: str, what: str) -> None:
    """Raise PlumblineError unless `words` describe exactly `things`: `what` they are, and `where` is the file."""
    described, there = set(words), set(things)
    file = (FOLDER / f"{where}.toml").relative_to(ROOT)
    if there - described:
        raise PlumblineError(
            f"there is no description of these {what}: {', '.join(sorted(there - described))}",
            hint=f"add a line for it to {file}",
        )
    if described - there:
        raise PlumblineError(
            f"{file} describes {what} that do not exist: {', '.join(sorted(described - there))}",
            hint=f"remove it from {file}",
        )
