"""Reports findings of a check: one per line, with what to do next, without a traceback."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import pytest

from plumbline.patience import Patience

_LOOKS_MIN = 5
"""A look at a busy machine takes long: what is only seen a few times has had little time to change."""


def require_none(findings: Iterable[str], *, about: str, then: str) -> None:
    """Fail if there are findings, and print them. Each names its component, what was expected and what was found."""
    lines = [f"  {finding}" for finding in findings]
    if lines:
        pytest.fail("\n".join([f"{about}:", *lines, f"Next: {then}"]), pytrace=False)


def require_none_soon(
    find: Callable[[], Iterable[str]], timeout_s: float, *, about: str, then: str, in_a_row: int = 1
) -> None:
    """Fail with what is found if the same is found for that time; pass if nothing is found, several times in a row."""
    patience, looks, clean = Patience(timeout_s), 0, 0
    while True:
        found = list(find())
        looks, clean = looks + 1, 0 if found else clean + 1
        if clean == in_a_row or (found and looks >= _LOOKS_MIN and patience.is_over(lambda found=found: found)):  # type: ignore[misc]
            break
        time.sleep(0.2)
    require_none(found, about=about, then=then)
