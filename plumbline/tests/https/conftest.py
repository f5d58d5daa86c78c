"""Certificates made with openssl."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from plumbline.verification.checks import certificates

Pair = tuple[Path, Path]


@pytest.fixture
def certificate(tmp_path: Path) -> Callable[..., Pair]:
    """Return a function that makes a certificate for a name, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl here")
    return partial(certificates.make, tmp_path)
