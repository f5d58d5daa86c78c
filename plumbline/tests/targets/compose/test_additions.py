"""The overrides of compose.yaml: settings and marks of secrets. No engine needed."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest

from plumbline.home import Home
from plumbline.settings.resolve import Setting
from plumbline.targets.compose.target import ComposeTarget


@pytest.fixture
def home(tmp_path):  # type: ignore[no-untyped-def]
    made = Home(tmp_path / "home")
    made.prepare()
    made.save(made.load(), target="compose", ports={"front": 8090})
    return made


def _additions(home: Home) -> dict[str, Any]:
    services: dict[str, Any] = json.loads(ComposeTarget(home).project.additions())["services"]
    return services


def test_each_container_is_told_what_its_program_reads(home: Home) -> None:
    settings = [
        Setting("PLUMBLINE_POOL_SIZE", "3", "PLUMBLINE_POOL_SIZE", ("backend", "data-processor"), "8", differs=True),
        Setting("PLUMBLINE_BACKEND_POOL_SIZE", "4", "PLUMBLINE_POOL_SIZE", ("backend",), "8", differs=True),
        Setting("PLUMBLINE_FRONT_HOST", "0.0.0.0", "PLUMBLINE_FRONT_HOST", ("caddy",), "127.0.0.1", differs=True),
    ]
    home.save(home.load(), settings=[asdict(one) for one in settings])
    four, three = ({"environment": {"PLUMBLINE_POOL_SIZE": number}} for number in "43")
    assert _additions(home) == {
        "backend": four, "migrate-backend": four, "data-processor": three, "migrate-data-processor": three,
    }  # fmt: skip
    published = ComposeTarget(home).project.environment()
    assert published["PLUMBLINE_PUBLISH_ADDRESS"] == "0.0.0.0", "inside of its container, Caddy's address stays"
    assert published["PLUMBLINE_PUBLISH_PORT"] == "8090"


def test_each_container_has_the_marks_of_the_secrets_that_it_mounts(home: Home) -> None:
    home.save(home.load(), secrets={"postgres_password": "p", "token_secret": "t", "operator_password": "o"})
    labels = {name: one["labels"]["plumbline.secrets"] for name, one in _additions(home).items()}
    assert labels["postgres"] == "p"
    assert labels["backend"] == "p,t"
    assert "o" in labels["migrate-backend"]
    assert "caddy" not in labels


def test_a_variable_of_the_caller_does_not_move_the_front_door(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUMBLINE_PUBLISH_ADDRESS", "0.0.0.0")
    monkeypatch.setenv("PLUMBLINE_PUBLISH_PORT", "1")
    environment = ComposeTarget(home).project.environment()
    assert environment["PLUMBLINE_PUBLISH_ADDRESS"] == "127.0.0.1"
    assert environment["PLUMBLINE_PUBLISH_PORT"] == "8090"
