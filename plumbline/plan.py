"""The order of a deployment, as data. Which components a step starts is in the table of components."""

from __future__ import annotations

from dataclasses import dataclass

from servicekit import facts

from plumbline.components import MIGRATING, SPECS, migration_step, started_by


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its name, what it does in a sentence, and what it changes."""

    name: str
    does: str
    changes: str

    @property
    def components(self) -> tuple[str, ...]:
        """The components that it leaves running."""
        return started_by(self.name)


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
        f"Start Postgres {facts.POSTGRES_MAJOR} and wait until {facts.DATABASE_USER} can log in to "
        f"{facts.DATABASE_NAME}.",
        "the data directory",
    ),
    Step("redis", "Start Redis, which keeps nothing on disk.", "memory only"),
    Step("log-sink", "Start the recorder of warnings and errors.", "memory only"),
    *(Step(migration_step(name), SPECS[name].migration, "the schema") for name in MIGRATING),
    Step("services", "Start the services and wait until each says it is ready.", "running processes"),
    Step("caddy", "Open the front door, last, so that no client meets a half-started stack.", "the front port"),
    Step("identity", "Ask every service through the front door who it is, and compare.", "nothing"),
)
