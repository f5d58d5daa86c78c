"""The steps of a deployment, as data, and what a stack consists of: this release, or the baseline."""

from __future__ import annotations

from dataclasses import dataclass

from servicekit import facts

from plumbline.components import BASELINE, CADDY, MIGRATING, SPECS, TABLE, ComponentSpec, migration_step, started_by
from plumbline.errors import PlumblineError


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


@dataclass(frozen=True, slots=True)
class Lineup:
    """What a stack consists of: its components, in the order in which they start, and the steps that start them."""

    release: str
    """Name of the release in the state file; empty for that of this checkout."""
    table: tuple[ComponentSpec, ...]
    plan: tuple[Step, ...]

    @property
    def components(self) -> tuple[str, ...]:
        """The names of its components."""
        return tuple(one.name for one in self.table)

    @property
    def images(self) -> tuple[str, ...]:
        """Our images that it runs from."""
        return tuple(dict.fromkeys(one.image_name for one in self.table))

    @property
    def health_paths(self) -> dict[str, str]:
        """Path of each service's health check, at the front door and at the service itself."""
        return {one.name: one.health_path for one in self.table if one.kind == "service"}

    @property
    def owners(self) -> dict[str, str]:
        """Port name to the component that listens there."""
        return {port.name: one.name for one in self.table for port in one.ports}

    def answers_at(self, port: str) -> str:
        """Return the port that answers requests for `port`: the baseline answers for the services that it replaces."""
        return port if port in self.owners else BASELINE.port.name


def _baseline_plan() -> tuple[Step, ...]:
    does = "Start the baseline, and wait until it is ready."
    start = Step(BASELINE.step_name, does, "running processes, a SQLite database")
    kept = [one for one in PLAN if not {*one.components} - {*_BASELINE_COMPONENTS} and one.name not in _MIGRATIONS]
    front = [one.name for one in kept].index(CADDY.step_name)
    return (*kept[:front], start, *kept[front:])


_MIGRATIONS = tuple(map(migration_step, MIGRATING))
_BASELINE_COMPONENTS = ("redis", "log-sink", "baseline", "caddy")
TODAY = Lineup("", TABLE, PLAN)
"""The release of this checkout."""
ON_BASELINE = Lineup("baseline", tuple(SPECS[name] for name in _BASELINE_COMPONENTS), _baseline_plan())
"""The release before Postgres."""


def lineup_of(release: str) -> Lineup:
    """Return the line-up of a release that a state file names. Raises PlumblineError."""
    for one in (TODAY, ON_BASELINE):
        if one.release == release:
            return one
    raise PlumblineError(
        f"the stack is on the release {release!r}, which this version does not have",
        hint="use the version that deployed it",
    )
