"""What cannot read the table of components says the same as the table."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import pytest
import yaml

from plumbline import ROOT, secret_files
from plumbline.components import (
    COMPONENTS,
    IMAGES,
    MIGRATING,
    OUR_OWN,
    OWNERS,
    PORTS,
    SPECS,
    TABLE,
    ComponentSpec,
    migration_step,
    started_by,
    variable,
)
from plumbline.plan import PLAN
from plumbline.settings.file import read
from plumbline.targets.embedded.watch import ANSWER_S, EVERY_S

PROBE_S = 4
"""How long docker/alive.sh lets a health check take."""


@cache
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())
    return loaded


def service(name: str) -> dict[str, Any]:
    found: dict[str, Any] = compose()["services"][name]
    return found


def defaults(spec: ComponentSpec) -> dict[str, str]:
    folder = ROOT / "docker" / "defaults"
    return {line.name: line.value for name in spec.defaults for line in read(folder / f"{name}.env")[0]}


every = pytest.mark.parametrize("spec", TABLE, ids=COMPONENTS)


# The table itself


def test_each_component_is_started_by_one_step_in_the_order_of_the_table() -> None:
    assert tuple(name for step in PLAN for name in step.components) == COMPONENTS


@every
def test_what_a_component_needs_starts_before_it_and_what_it_calls_is_there(spec: ComponentSpec) -> None:
    assert {*spec.needs} <= {*COMPONENTS[: COMPONENTS.index(spec.name)]} - {*started_by(spec.step_name)}
    assert {*spec.calls} <= PORTS.keys()
    assert spec.image_name in IMAGES
    assert SPECS[spec.image_name].image_name == spec.image_name
    assert {*spec.secrets, *spec.migration_secrets} <= secret_files.SECRETS.keys()


def test_ports_are_told_apart_by_name_and_number() -> None:
    assert len(PORTS) == len({port.number for port in PORTS.values()}) == sum(len(one.ports) for one in TABLE)
    assert OWNERS.keys() == PORTS.keys()


@every
def test_what_has_no_port_shows_by_a_heartbeat_that_it_lives(spec: ComponentSpec) -> None:
    assert (spec.kind == "worker") == (not spec.ports)
    assert spec.hangs_after_s % (EVERY_S + ANSWER_S) == 0, "the watch of the embedded target counts whole questions"


# docker/compose.yaml and docker/defaults


def test_compose_has_a_service_for_each_component_and_for_its_migrations() -> None:
    assert compose()["services"].keys() == {*COMPONENTS, *map(migration_step, MIGRATING)}
    assert {*secret_files.SECRETS} <= compose()["secrets"].keys()


@every
def test_compose_runs_a_component_as_the_table_says(spec: ComponentSpec) -> None:
    there = service(spec.name)
    assert there["image"] == f"plumbline/{spec.image_name}:${{PLUMBLINE_TAG:-local}}"
    assert ("build" in there) == (spec.image_name == spec.name)
    assert there.get("command", ["serve"]) == [spec.command]
    assert there.get("env_file", []) == [f"defaults/{name}.env" for name in spec.defaults]
    assert {*there["secrets"]} == {*(secret_files.readable_by(spec.secrets) if spec.package else spec.secrets)}
    assert there["stop_grace_period"] == f"{spec.stop_wait_s}s"
    schema = {migration_step(MIGRATING[-1])} if spec.needs_schema else set()
    assert {*there.get("depends_on", {})} == {*spec.needs} | schema


@every
def test_compose_asks_a_component_as_the_table_says(spec: ComponentSpec) -> None:
    check = service(spec.name)["healthcheck"]
    command, alive, shell, limit, *asked = check["test"]
    assert (command, alive, shell) == ("CMD", "sh", "/app/alive.sh")
    patience = int(limit) * (int(check["interval"].removesuffix("s")) + PROBE_S)
    assert abs(patience - spec.hangs_after_s) <= 6, f"docker/compose.yaml gives {spec.name} {patience} s"
    if spec.kind == "service":
        assert asked[-2:] == [str(spec.port.number), spec.health_path]
    elif spec.kind == "front":
        assert asked[-1] == f"http://127.0.0.1:{spec.port.number}{spec.live_path}"
    elif spec.kind == "worker":
        assert f"/tmp/{spec.name}.heartbeat" in asked[-1]


@pytest.mark.parametrize("name", MIGRATING)
def test_compose_migrates_as_the_table_says(name: str) -> None:
    there = service(migration_step(name))
    assert (there["image"], there["command"]) == (service(name)["image"], ["migrate"])
    assert {*there["secrets"]} == {*secret_files.readable_by((*SPECS[name].secrets, *SPECS[name].migration_secrets))}
    earlier = MIGRATING[: MIGRATING.index(name)]
    assert not earlier or {*there["depends_on"]} == {migration_step(earlier[-1])}


@every
def test_containers_listen_and_connect_where_the_table_says(spec: ComponentSpec) -> None:
    told = defaults(spec)
    for port in spec.ports:
        if port.setting:
            assert told[port.setting] == str(port.number), f"{port.setting} in docker/defaults"
    addresses = {name: value for name, value in told.items() if re.search(r":\d+(/\w*)?$", value)}
    for name, value in addresses.items():
        match = re.fullmatch(r"(?:\w+://)?([a-z-]+):(\d+)(/\w*)?", value)
        assert match, f"{name}={value} in docker/defaults"
        host, number = match[1], int(match[2])
        assert number in {port.number for port in SPECS[host].ports}, f"{name}={value} in docker/defaults"


def test_the_front_door_is_published_where_it_listens() -> None:
    (port,) = service("caddy")["ports"]
    assert port.endswith(f":{PORTS['front'].number}")


@pytest.mark.parametrize("name", SPECS["caddy"].calls)
def test_caddy_is_told_every_address_that_it_calls(name: str) -> None:
    assert defaults(SPECS["caddy"])[f"PLUMBLINE_{variable(name)}"] == f"{OWNERS[name]}:{PORTS[name].number}"


# The code of the services


@pytest.mark.parametrize("name", OUR_OWN)
def test_a_package_is_where_the_table_says(name: str) -> None:
    assert (ROOT / "services" / SPECS[name].folder / SPECS[name].package / "__main__.py").is_file()
