"""What code cannot say about itself: one sentence a thing, written by people, complete by force."""

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
    """Raise PlumblineError unless `words` are about exactly `things`. `where` and `what` tell what to write where."""
    about, there = set(words), set(things)
    file = (FOLDER / f"{where}.toml").relative_to(ROOT)
    if there - about:
        raise PlumblineError(
            f"nobody has described {what}: {', '.join(sorted(there - about))}", hint=f"add a line for it to {file}"
        )
    if about - there:
        raise PlumblineError(
            f"{file} describes {what} that there is not: {', '.join(sorted(about - there))}",
            hint=f"remove it from {file}",
        )
