"""The health check of a container kills it if it hangs, and only then."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from plumbline import ROOT
from plumbline.net import free_port

PROBE = ROOT / "docker" / "probe.py"


@pytest.fixture
def ask(tmp_path: Path) -> Callable[..., int]:
    """Run the check with a `kill` that kills nothing and leaves a note."""
    script = (ROOT / "docker" / "alive.sh").read_text()
    script = script.replace("/tmp/plumbline-", f"{tmp_path}/")
    script = script.replace("kill -9 -1", f"touch {tmp_path / 'would-have'}")
    assert "kill -" not in script
    assert "/tmp/plumbline" not in script
    (tmp_path / "alive.sh").write_text(script)

    def run(*question: str, limit: int = 3) -> int:
        return subprocess.run(
            ["sh", str(tmp_path / "alive.sh"), str(limit), *question], capture_output=True, check=False
        ).returncode

    return run


@pytest.mark.parametrize(
    ("codes", "killed"),
    [
        ("0222", True),
        ("1222", True),
        ("2212", False),
        ("111111", False),
        ("2202", False),
        ("2" * 29, False),
        ("2" * 30, True),
    ],
)
def test_only_silence_several_times_in_a_row_ends_a_container(
    ask: Callable[..., int], tmp_path: Path, codes: str, killed: bool
) -> None:
    for code in codes:
        assert ask("sh", "-c", f"exit {code}") == min(int(code), 1)
    assert (tmp_path / "would-have").exists() == killed


@pytest.mark.skipif(shutil.which("timeout") is None, reason="there is no `timeout` here")
def test_a_check_that_does_not_end_counts_as_no_answer(ask: Callable[..., int], tmp_path: Path) -> None:
    assert ask("true") == 0
    assert ask("sleep", "60", limit=1) == 1
    assert (tmp_path / "would-have").exists()


def test_a_hanging_service_is_distinguished_from_a_stopped_one() -> None:
    def probe(port: int) -> int:
        return subprocess.run(
            [sys.executable, "-ISE", str(PROBE), str(port), "/health"], capture_output=True, check=False
        ).returncode

    with socket.create_server(("127.0.0.1", 0)) as hung:
        assert probe(hung.getsockname()[1]) == 2
    assert probe(free_port()) == 1
