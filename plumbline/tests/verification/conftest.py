"""A database with the whole schema."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from plumbline.verification.schema.__main__ import migrated_database


@pytest.fixture(scope="session")
def migrated() -> Iterator[str]:
    """How to connect to a database that both services have migrated. Tests change nothing in it that stays."""
    with migrated_database() as conninfo:
        yield conninfo
