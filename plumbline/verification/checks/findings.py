"""How a check says what is wrong: each finding in a line, and what to do next, without a traceback."""

from __future__ import annotations

from collections.abc import Iterable

import pytest


def require_none(findings: Iterable[str], *, about: str, then: str) -> None:
    """Fail with all findings if there are any; each names its component, what was expected and what was found."""
    lines = [f"  {finding}" for finding in findings]
    if lines:
        pytest.fail("\n".join([f"{about}:", *lines, f"Next: {then}"]), pytrace=False)
