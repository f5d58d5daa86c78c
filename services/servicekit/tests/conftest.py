"""The internal secret."""

from __future__ import annotations

from pathlib import Path

import pytest
from servicekit.inside import InternalSecret

from plumbline.verification.throwaway import INTERNAL_SECRET


@pytest.fixture
def secret(tmp_path: Path) -> InternalSecret:
    """The internal secret, in a file of its own."""
    file = tmp_path / "internal_secret"
    file.write_text(INTERNAL_SECRET + "\n")
    return InternalSecret(file)
