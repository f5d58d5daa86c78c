"""The deploy order, as data. Everything that deploys, checks or documents the order reads this one list."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its name, what it does in a sentence, what it changes, and which components it leaves running."""

    name: str
    does: str
    changes: str
    components: tuple[str, ...] = ()


PLAN: tuple[Step, ...] = (
    Step("preflight", "Check everything that must be true before anything is changed.", "nothing"),
    Step(
        "secrets",
        "Generate the secret files that do not exist yet, and notice those that were replaced.",
        "secret files, readable by their owner alone",
    ),
    Step("images", "Build what has changed of the images that containers run from, where there are any.", "images"),
    Step(
        "postgres",
        "Start Postgres 16 and wait until app_user can log in to app_db.",
        "the data directory",
        ("postgres",),
    ),
    Step("redis", "Start Redis, which keeps nothing on disk.", "memory only", ("redis",)),
    Step("log-sink", "Start the recorder of warnings and errors.", "memory only", ("log-sink",)),
    Step(
        "migrate-backend",
        "Bring the backend's tables to head (Alembic) and see to the operator and their password.",
        "the schema",
    ),
    Step("migrate-data-processor", "Bring the data-processor's tables to head (Django).", "the schema"),
    Step(
        "services",
        "Start both services and wait until each says it is ready.",
        "running processes",
        ("backend", "data-processor"),
    ),
    Step(
        "caddy", "Open the front door, last, so that nobody meets a half-started stack.", "the front port", ("caddy",)
    ),
    Step("identity", "Ask every service through the front door who it is, and compare.", "nothing"),
)

COMPONENTS: tuple[str, ...] = tuple(component for step in PLAN for component in step.components)
"""Every long-running part, in the order in which they start."""

SERVICES: tuple[str, ...] = ("log-sink", "backend", "data-processor")
"""The parts that are our own code, each with a /health of its own."""

HEALTH_PATHS: dict[str, str] = {
    "backend": "/health",
    "data-processor": "/data-processor/health",
    "log-sink": "/logs/health",
}
"""Where each service's health is found, at the front door and at the service itself."""
