"""The steps of a deployment, as data. The table of components assigns components to steps."""

from __future__ import annotations

from dataclasses import dataclass

from servicekit import facts

from plumbline.components import MIGRATING, SPECS, migration_step, started_by


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its name, a sentence about what it does, and what it changes."""

    name: str
    does: str
    changes: str

    @property
    def components(self) -> tuple[str, ...]:
        """The components that it starts."""
        return started_by(self.name)


PLAN: tuple[Step, ...] = (
    Step("preflight", "Check everything that must be true before anything is changed.", "nothing"),
    Step(
        "secrets",
        "Generate missing secret files, and detect replaced ones.",
        "secret files, readable only by their owner",
    ),
    Step("images", "Build changed container images, on targets with containers.", "images"),
    Step(
        "postgres",
        f"Start Postgres {facts.POSTGRES_MAJOR} and wait until {facts.DATABASE_USER} can log in to "
        f"{facts.DATABASE_NAME}.",
        "the data directory",
    ),
    Step("redis", "Start Redis, which keeps nothing on disk.", "memory only"),
    Step("log-sink", "Start the recorder of warnings and errors.", "memory only"),
    *(Step(migration_step(name), SPECS[name].migration, "the schema") for name in MIGRATING),
    Step("services", "Start the services and the worker, and wait until each is ready.", "running processes"),
    Step("caddy", "Start the front door last, so that no client meets a half-started stack.", "the front port"),
    Step("identity", "Check through the front door that every service belongs to this deployment.", "nothing"),
)
