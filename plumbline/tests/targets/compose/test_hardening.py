"""Restrictions of every container, as the engine reports them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from servicekit import facts

from plumbline import ROOT
from plumbline.components import COMPONENTS, SPECS
from plumbline.targets.compose import containers, engine, images
from plumbline.targets.compose.target import ComposeTarget

pytestmark = pytest.mark.engine

LABELS = ("title", "description", "licenses", "version", "revision")
EVERY = (*COMPONENTS, "migrate-backend", "migrate-data-processor")


@pytest.fixture(scope="session")
def raw(running: ComposeTarget) -> dict[str, Any]:
    ids = [one.id for one in containers.all_of(running.project).values()]
    return {one["Config"]["Labels"]["com.docker.compose.service"]: one for one in engine.inspect(ids)}


def test_the_stack_is_these_containers(raw: dict[str, Any]) -> None:
    assert raw.keys() == set(EVERY)


@pytest.mark.parametrize("name", EVERY)
def test_a_container_has_no_more_than_it_needs(raw: dict[str, Any], name: str) -> None:
    config, host = raw[name]["Config"], raw[name]["HostConfig"]
    assert config["User"] not in ("", "0", "root", "0:0")
    assert host["ReadonlyRootfs"]
    assert host["Tmpfs"]
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert not host["Privileged"]
    assert any(option.startswith("no-new-privileges") for option in host["SecurityOpt"])
    assert 0 < host["Memory"] <= 2 << 30
    assert host["MemorySwap"] == host["Memory"], "may be swapped to disk"
    assert 0 < host["PidsLimit"] <= 256
    bounded = {"max-size": "10m", "max-file": "3", "mode": "non-blocking", "max-buffer-size": "4m"}
    assert host["LogConfig"]["Config"] == bounded


def test_what_is_asked_for_holds_inside(running: ComposeTarget) -> None:
    backend = containers.one_of(running.project, "backend")
    status = engine.output("exec", backend.id, "grep", "-E", "^(Uid|CapEff|CapBnd|NoNewPrivs)", "/proc/1/status")
    assert "Uid:\t10001" in status
    assert "CapEff:\t0000000000000000" in status
    assert "CapBnd:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status
    assert engine.docker("exec", backend.id, "touch", "/app/x").returncode != 0


def test_redis_has_no_folder_to_find_or_leave_a_dump_in(running: ComposeTarget) -> None:
    redis = containers.one_of(running.project, "redis")
    places = engine.output("exec", redis.id, "sh", "-c", "readlink /proc/*/cwd")
    assert set(places.split()) == {"/"}
    assert engine.docker("exec", redis.id, "touch", "/dump.rdb").returncode != 0


def test_only_caddy_publishes_a_port_and_on_loopback(raw: dict[str, Any]) -> None:
    published = {
        name: [binding["HostIp"] for bindings in one["NetworkSettings"]["Ports"].values() for binding in bindings or []]
        for name, one in raw.items()
    }
    assert {name: addresses for name, addresses in published.items() if addresses} == {"caddy": ["127.0.0.1"]}


def test_only_postgres_has_a_volume(raw: dict[str, Any]) -> None:
    volumes = {name: [one["Name"] for one in it["Mounts"] if one["Type"] == "volume"] for name, it in raw.items()}
    assert [name for name, found in volumes.items() if found] == ["postgres"]
    assert volumes["postgres"][0].endswith("_postgres-data")


def test_the_inside_has_no_way_out(running: ComposeTarget, raw: dict[str, Any]) -> None:
    network = f"{running.project.name}_inside"
    assert engine.output("network", "inspect", "--format", "{{.Internal}}", network).strip() == "true"
    for name, one in raw.items():
        assert (one["NetworkSettings"]["Networks"].keys() == {network}) == (name != "caddy")


@pytest.mark.parametrize("name", COMPONENTS)
def test_images_say_what_they_are(running: ComposeTarget, name: str) -> None:
    image = containers.one_of(running.project, name).image
    labels = json.loads(engine.output("image", "inspect", "--format", "{{json .Config.Labels}}", image))
    said = {label: labels.get(f"org.opencontainers.image.{label}") for label in LABELS}
    description = said.pop("description")
    assert description
    assert said == {
        "title": f"plumbline/{SPECS[name].image_name}",
        "licenses": "MIT",
        "version": facts.VERSION,
        "revision": images.revisions()[SPECS[name].image_name],
    }
    assert (ROOT / "LICENSE").read_text().startswith(f"{said['licenses']} License")
