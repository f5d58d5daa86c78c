"""The plan of a deployment."""

from __future__ import annotations

from plumbline.components import COMPONENTS, HEALTH_PATHS, SERVICES
from plumbline.plan import PLAN

NAMES = [step.name for step in PLAN]


def test_names_are_unique():
    assert len(set(NAMES)) == len(NAMES)
    assert len(set(COMPONENTS)) == len(COMPONENTS)


def test_the_plan_begins_with_preflight_and_ends_with_identity():
    assert (NAMES[0], NAMES[-1]) == ("preflight", "identity")
    assert [step.name for step in PLAN if step.changes == "nothing"] == ["preflight", "identity"]


def test_steps_come_after_their_dependencies():
    needed = [
        "secrets",
        "postgres",
        "redis",
        "log-sink",
        "migrate-backend",
        "migrate-data-processor",
        "services",
        "caddy",
    ]
    assert [name for name in NAMES if name in needed] == needed


def test_the_front_door_opens_last():
    assert COMPONENTS[-1] == "caddy"


def test_every_service_is_a_component_with_a_health_path():
    assert set(SERVICES) < set(COMPONENTS)
    assert set(HEALTH_PATHS) == set(SERVICES)


def test_every_step_has_a_description():
    assert all(step.does.endswith(".") and step.changes for step in PLAN)
