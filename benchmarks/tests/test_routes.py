"""No route goes unmeasured, and a comparison runs from end to end."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks.dataset import World
from benchmarks.load.round import Round
from benchmarks.routes import compare
from benchmarks.routes.part import cases
from benchmarks.stack import SERVICES
from plumbline.verification.introspection import facts

# What ends the session that it is called with; what operators do now and then; and what is answered 501: there is
# nothing to measure before it does something.
UNMEASURED = {
    "DELETE /auth/me",
    "POST /auth/invites",
    "GET /auth/invites",
    "DELETE /auth/invites/{invite_id}",
    "POST /data-processor/documents/{document_id}/apply-template/",
    "POST /data-processor/documents/{document_id}/export/",
    "GET /data-processor/batch/{batch_id}/export/",
}


@pytest.mark.parametrize("service", SERVICES)
def test_every_route_has_a_benchmark_and_every_benchmark_a_route(service: str) -> None:
    routes = {f"{route.method} {route.path}" for route in facts.services()[service].routes}
    assert {case.route for case in cases(World())[service]} == routes - UNMEASURED


def test_routes_and_floors_answer_and_the_figures_are_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # This looks at the answers, and not at how fast they come. With the sixteen connections of a benchmark, a busy
    # machine would refuse some of the slow requests, as it should.
    monkeypatch.setattr(compare, "Round", partial(Round, connections=2))
    monkeypatch.setattr(command, "RESULTS", tmp_path / "benchmarks.json")
    monkeypatch.setattr(command, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["benchmarks", "routes", "--rounds", "1", "--seconds", "0.01", "--only", "/{"])
    assert command.main() == 0, capsys.readouterr().err
    tables = json.loads((tmp_path / "benchmarks.json").read_text())["tables"]
    measured = {row["route"] for table in tables for row in table["rows"]}
    assert {"GET /channels/{channel_id}/messages", "GET /data-processor/templates/{template_id}/"} <= measured
    assert all(row["ratio"] > 0 for table in tables for row in table["rows"])
