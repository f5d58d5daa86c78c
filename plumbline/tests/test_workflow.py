"""The workflow for GitHub runs what plain nox runs, session by session, and the compose target."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
import yaml

from plumbline import ROOT


@pytest.fixture(scope="module")
def jobs() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    return loaded["jobs"]  # type: ignore[no-any-return]


def test_every_session_of_plain_nox_is_run(jobs: dict[str, Any]) -> None:
    listed = subprocess.run(
        [sys.executable, "-m", "nox", "--list", "--json"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    wanted = {session["name"] for session in json.loads(listed)} - {"bench"}
    assert set(jobs["sessions"]["strategy"]["matrix"]["session"]) == wanted


def test_the_compose_target_must_have_an_engine(jobs: dict[str, Any]) -> None:
    assert jobs["compose"]["env"]["PLUMBLINE_REQUIRE_ENGINE"] == "1"
    commands = [step.get("run", "") for step in jobs["compose"]["steps"]]
    assert any("--session smoke logs -- --own-stack --target compose" in command for command in commands)
