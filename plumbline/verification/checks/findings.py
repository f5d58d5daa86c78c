"""Reports findings of a check: one per line, with what to do next, without a traceback."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import pytest

from plumbline.patience import Patience
from plumbline.verification import waiting

_LOOKS_MIN = 5
"""A look at a busy machine takes long: what is only seen a few times has had little time to change."""


def require_none(findings: Iterable[str], *, about: str, then: str) -> None:
    """Fail if there are findings, and print them. Each names its component, what was expected and what was found."""
    lines = [f"  {finding}" for finding in findings]
    if lines:
        pytest.fail("\n".join([f"{about}:", *lines, f"Next: {then}"]), pytrace=False)


def require_fields(
    found: Iterable[str], expected: Iterable[str], *, of: str, component: str = "backend", then: str = ""
) -> None:
    """Fail with a sentence unless a document has exactly the expected fields."""
    has, due = set(found), set(expected)
    if has != due:
        next_step = f"\nNext: {then}" if then else ""
        pytest.fail(
            f"{component}: {of} has other fields than expected: too many {sorted(has - due)}, missing "
            f"{sorted(due - has)}{next_step}",
            pytrace=False,
        )


@contextmanager
def refused(attempt: str, *, by: type[Exception], saying: str = "", then: str) -> Iterator[None]:
    """Fail with a sentence unless the block raises `by` with a text that matches `saying`."""
    try:
        yield
    except Exception as error:
        text = " ".join(str(error).split())
        if isinstance(error, by) and re.search(saying, text):
            return
        found = f"was not refused: {type(error).__name__}: {text[:300]}"
    else:
        found = "was accepted"
    expected = f"{by.__name__}{f' saying {saying!r}' if saying else ''}"
    pytest.fail(f"{attempt}: {found}; expected {expected}\nNext: {then}", pytrace=False)


WHOLE_AGAIN_S = 90.0
"""How long the same may be wrong with a stack after a kill.

A component that ended several times of late counts as failed until it has run for a minute.
"""


def require_none_soon(
    find: Callable[[], Iterable[str]], timeout_s: float, *, about: str, then: str, in_a_row: int = 1
) -> None:
    """Fail with what is found if the same is found for that time; pass if nothing is found, several times in a row."""
    patience, looks, clean = Patience(timeout_s), 0, 0
    with waiting.on(f"an end of: {about}"):
        while True:
            found = list(find())
            looks, clean = looks + 1, 0 if found else clean + 1
            if clean == in_a_row or (found and looks >= _LOOKS_MIN and patience.is_over(lambda found=found: found)):  # type: ignore[misc]
                break
            time.sleep(0.2)
    require_none(found, about=about, then=then)
