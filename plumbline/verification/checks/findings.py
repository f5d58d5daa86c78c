"""Reports findings of a check: one per line, with what to do next, without a traceback."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import pytest

_SETTLED_S = 15.0


def require_none(findings: Iterable[str], *, about: str, then: str) -> None:
    """Fail if there are findings, and print them. Each names its component, what was expected and what was found."""
    lines = [f"  {finding}" for finding in findings]
    if lines:
        pytest.fail("\n".join([f"{about}:", *lines, f"Next: {then}"]), pytrace=False)


def require_none_soon(find: Callable[[], Iterable[str]], *, about: str, then: str) -> None:
    """Like `require_none`, but first wait some seconds for components that are starting."""
    deadline = time.monotonic() + _SETTLED_S
    while (found := list(find())) and time.monotonic() < deadline:
        time.sleep(0.2)
    require_none(found, about=about, then=then)
