"""Reports findings of a check: one per line, with what to do next, without a traceback."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import pytest

_LOOKS_MIN = 5


def require_none(findings: Iterable[str], *, about: str, then: str) -> None:
    """Fail if there are findings, and print them. Each names its component, what was expected and what was found."""
    lines = [f"  {finding}" for finding in findings]
    if lines:
        pytest.fail("\n".join([f"{about}:", *lines, f"Next: {then}"]), pytrace=False)


def require_none_soon(find: Callable[[], Iterable[str]], timeout_s: float, *, about: str, then: str) -> None:
    """Fail with what is found if something still is after that time, and after a few looks on a busy machine."""
    deadline, looks = time.monotonic() + timeout_s, 0
    while (found := list(find())) and (time.monotonic() < deadline or looks < _LOOKS_MIN):
        looks += 1
        time.sleep(0.2)
    require_none(found, about=about, then=then)
