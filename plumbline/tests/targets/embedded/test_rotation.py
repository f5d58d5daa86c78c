"""The next `up` applies a new postgres_password to a running stack, even after an interruption, and keeps all data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from plumbline.home import Home
from plumbline.targets.embedded import postgres
from plumbline.targets.embedded.target import EmbeddedTarget


@pytest.fixture
def home(public_folder: Path) -> Iterator[Home]:
    made = Home(public_folder / "home")
    yield made
    EmbeddedTarget(made).remove()


def _up_to_postgres(home: Home) -> list[str]:
    """Go through the first steps, as each `up` does."""
    target = EmbeddedTarget(home, 0)
    target.begin()
    return [target.run("secrets"), target.run("postgres")]


def _rows(home: Home) -> list[tuple[int]]:
    with psycopg.connect(**EmbeddedTarget(home).stack().postgres.parameters()) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (number integer)")
        connection.execute("INSERT INTO kept SELECT count(*) FROM kept")
        return connection.execute("SELECT number FROM kept ORDER BY number").fetchall()


def test_a_new_password_is_taken_over_while_postgres_runs(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _up_to_postgres(home)[1] == "cluster created"
    assert _rows(home) == [(0,)]
    identity = home.load().stack_id
    home.settings.write_text("PLUMBLINE_POOL_SIZE=4\n")

    (home.secrets / "postgres_password").write_bytes(b"\xef\xbb\xbfit's another \r\n")
    assert _up_to_postgres(home) == [
        "all present; postgres_password was replaced",
        "restarted with its new password",
    ]
    assert _rows(home) == [(0,), (1,)]
    assert _up_to_postgres(home) == ["all present", "already running"]

    # Postgres is stopped at this moment, and its role has the password before.
    (home.secrets / "postgres_password").unlink()
    with monkeypatch.context() as patch:
        patch.setattr(postgres.Cluster, "set_password", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            _up_to_postgres(home)
    assert _up_to_postgres(home) == ["all present", "restarted with its new password"]
    assert _rows(home) == [(0,), (1,), (2,)]
    assert home.load().stack_id == identity, "a new identity would also restart services that do not read it"
