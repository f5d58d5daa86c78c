"""docker/compose.yaml agrees with servicekit.facts. No engine needed."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from servicekit import facts

from plumbline.targets.compose.project import CHECKOUT
from plumbline.verification.manifests import compose


@pytest.fixture(scope="module")
def file() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((CHECKOUT / "compose.yaml").read_text())
    return loaded


def test_the_database_is_the_one_that_the_services_expect(file: dict[str, Any]) -> None:
    postgres = file["services"]["postgres"]
    told = compose.environment(postgres)
    assert told["PLUMBLINE_POSTGRES_DB"] == facts.DATABASE_NAME
    assert told["PLUMBLINE_POSTGRES_USER"] == facts.DATABASE_USER
    asked = postgres["healthcheck"]["test"]
    assert f"--username={facts.DATABASE_USER}" in asked
    assert f"--dbname={facts.DATABASE_NAME}" in asked
    image = postgres["build"]["args"]["POSTGRES_IMAGE"]
    assert re.search(r":-postgres:(\d+)", image)[1] == str(facts.POSTGRES_MAJOR)  # type: ignore[index]


def test_the_front_door_is_where_it_is_on_every_target(file: dict[str, Any]) -> None:
    (port,) = file["services"]["caddy"]["ports"]
    assert f"PLUMBLINE_PUBLISH_PORT:-{facts.FRONT_PORT}}}" in port
    assert port.startswith("${PLUMBLINE_PUBLISH_ADDRESS:-127.0.0.1}:")


def test_every_image_of_another_project_is_pinned(file: dict[str, Any]) -> None:
    text = (CHECKOUT / "compose.yaml").read_text()
    defaults = re.findall(r"\$\{PLUMBLINE_\w+_IMAGE:-([^}]+)\}", text)
    assert len(defaults) == 4
    assert [image for image in defaults if not re.search(r":\d+\.\d+", image)] == []
