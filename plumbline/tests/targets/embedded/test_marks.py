"""A deployment is out of date if the supervisor would be told anything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from plumbline.home import Home
from plumbline.targets.embedded import programs
from plumbline.targets.embedded.supervisor import Program
from plumbline.targets.embedded.target import EmbeddedTarget


def test_another_way_to_run_a_program_changes_the_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = EmbeddedTarget(Home(tmp_path))
    monkeypatch.setitem(target.__dict__, "_cluster", None)
    monkeypatch.setattr(programs.Layout, "programs", lambda layout, cluster: [Program("p", ["true"], tmp_path, {})])
    before = target._programs_mark({})
    assert target._programs_mark({}) == before
    section = Program.section
    monkeypatch.setattr(
        Program,
        "section",
        lambda *arguments: section(*arguments).replace("autorestart=true", "autorestart=false"),
    )
    assert target._programs_mark({}) != before, "an `up` would leave components that the supervisor does not restart"
