"""The parts run from end to end, on one stack."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from servicekit.repeats import HEADER

from benchmarks import __main__ as command
from benchmarks.door import part as door
from benchmarks.keys.calls import repeatables
from benchmarks.lists.part import lists
from benchmarks.lists.plans import plans
from benchmarks.routes import part
from benchmarks.routes.cases import cases
from benchmarks.routes.compare import Side, probe
from benchmarks.routes.part import Running
from benchmarks.stack import SERVICES, WITH_TABLES
from plumbline.verification.throwaway import through_caddy


@pytest.fixture(scope="module")
def here() -> Iterator[Running]:
    with part.running(workers=1) as running:
        yield running


def test_routes_and_floors_answer_and_the_figures_are_kept(
    here: Running, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(part, "running", lambda: nullcontext(here))
    monkeypatch.setattr(command, "RESULTS", tmp_path / "benchmarks.json")
    monkeypatch.setattr(command, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["benchmarks", "routes", "--rounds", "1", "--seconds", "0.01"])
    assert command.main() == 0, capsys.readouterr().err
    rows = [row for table in json.loads((tmp_path / "benchmarks.json").read_text())["tables"] for row in table["rows"]]
    assert [row["route"] for row in rows] == [case.route for service in SERVICES for case in cases(here.world)[service]]
    assert all(row["ratio"] > 0 for row in rows)


def test_both_doors_lead_to_every_route(here: Running) -> None:
    for port in (door.front_door(here.stack), door.bare_door(here.stack)):
        for service in WITH_TABLES:
            for case in cases(here.world)[service]:
                assert probe(Side(case.call, port, here.world.token, case.items, case.numbers)) > 0


def test_every_route_that_takes_a_key_is_measured(here: Running) -> None:
    takes_one = {
        f"POST {path}"
        for service in WITH_TABLES
        for path, operations in openapi(here, service)["paths"].items()
        if any(one.get("name") == HEADER for one in operations.get("post", {}).get("parameters", []))
    }
    found = repeatables(here.world)
    assert {one.route for one in found} == takes_one
    for one in found:
        for call in (one.call, one.with_key()):
            assert probe(Side(call, here.stack.layout.ports[one.service], here.world.token)) > 0


def openapi(here: Running, service: str) -> dict[str, Any]:
    prefix = "" if service == "backend" else f"/{service}"
    url = f"http://127.0.0.1:{here.stack.layout.ports[service]}{prefix}/openapi.json"
    return dict(through_caddy("GET", url, cookies={"access_token": here.world.token}, timeout=30).json())


@pytest.mark.parametrize("service", WITH_TABLES)
def test_every_list_has_a_plan(here: Running, service: str) -> None:
    found = plans(here.stack, here.world, service)
    assert found.keys() == lists(here.world)[service].keys()
    assert all(plan.blocks and plan.nodes for plan in found.values())
