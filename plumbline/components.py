"""The table of components: what the stack is made of, as data. Everything that deploys, checks or documents reads it.

A new component is a row here, a service in docker/compose.yaml and a folder in k8s/base. Components start in the order
of the rows. Tests compare files that cannot read this table with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from servicekit import facts

Kind = Literal["store", "service", "worker", "front"]
"""A store is a third-party program that keeps data. A service is our own and serves HTTP through the front door.
A worker is our own, has no port, and touches a heartbeat file while it is alive. The front door is Caddy."""


@dataclass(frozen=True, slots=True)
class Port:
    """A named port of the stack. `number` is used in containers; the embedded target uses free ports.

    `setting` is the variable in which the component reads its own port; empty if there is none.
    """

    name: str
    number: int
    setting: str = ""
    protocol: str = "TCP"


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentSpec:
    """One component. The defaults are those of our own services."""

    name: str
    does: str
    kind: Kind
    step: str = ""
    """Step of the plan that starts it; empty: the step of the same name."""
    image: str = ""
    """Image that it runs from; empty: the image of the same name."""
    package: str = ""
    """Our Python package, in the folder of services/ of that name; empty for third-party programs."""
    command: str = "serve"
    """Command of its package or image."""
    ports: tuple[Port, ...] = ()
    health_path: str = ""
    """Path of its readiness check, at its first port and at the front door. Its liveness check is /live below it."""
    live_request: bytes = b""
    """Bytes of the liveness check at its first port, if it does not speak HTTP."""
    needs: tuple[str, ...] = ()
    """Components that have to be ready before it starts."""
    needs_schema: bool = False
    """Whether it starts only after all migrations."""
    calls: tuple[str, ...] = ()
    """Names of the ports that it connects to."""
    migration: str = ""
    """What the migrations of its package do; empty if it has none."""
    secrets: tuple[str, ...] = ()
    """Secret files that it reads."""
    migration_secrets: tuple[str, ...] = ()
    """Additional secret files that its migrations read."""
    settings_model: str = ""
    """Module and class that declare its settings in settings.env; empty if it has none."""
    settings_of: str = ""
    """Component whose settings in settings.env it gets; empty: its own."""
    settings_file: str = ""
    """File that reads its environment, for third-party programs."""
    defaults: tuple[str, ...] = ()
    """Files in docker/defaults with its settings in containers, in their order."""
    is_replicated: bool = True
    """Whether a cluster may run several replicas."""
    stop_signal: str = "TERM"
    stop_wait_s: int = 15
    """Time to stop before it is killed."""
    hangs_after_s: int = 60
    """Time without an answer after which it is killed and restarted."""
    executables: tuple[str, ...] = ("python",)
    """Prefixes of the names of its programs."""
    keeps_data: bool = False
    """Whether its data survive a restart."""
    is_init: bool = False
    """Whether its first process collects ended child processes, so that its container needs no init process."""

    @property
    def step_name(self) -> str:
        """The step of the plan that starts it."""
        return self.step or self.name

    @property
    def image_name(self) -> str:
        """Its image without registry and tag."""
        return self.image or self.name

    @property
    def folder(self) -> str:
        """The folder of services/ that its package is in."""
        return self.package.replace("_", "-")

    @property
    def live_path(self) -> str:
        """Path of its liveness check, which does not depend on other components."""
        return f"{self.health_path}/live"

    @property
    def port(self) -> Port:
        """Its first port, where its health is checked."""
        return self.ports[0]


_INSIDE = ("redis_password", "internal_secret")
_DATABASE = ("postgres_password", "token_secret")

POSTGRES = ComponentSpec(
    name="postgres",
    does="The database of all services.",
    kind="store",
    ports=(Port("postgres", 5432),),
    live_request=(8).to_bytes(4) + (80877103).to_bytes(4),  # SSLRequest, which a forked server process answers
    secrets=("postgres_password",),
    settings_file="docker/postgres/start.sh",
    defaults=("database",),
    is_replicated=False,
    stop_signal="INT",
    stop_wait_s=30,
    # A restart is a crash to it: data are safe, but all transactions end.
    hangs_after_s=180,
    executables=("postgres", "initdb"),
    keeps_data=True,
    is_init=True,
)
REDIS = ComponentSpec(
    name="redis",
    does="Live events, the recorder's stream, and counts of logins. In memory only.",
    kind="store",
    ports=(Port("redis", 6379),),
    live_request=b"PING\r\n",
    secrets=("redis_password",),
    settings_file="docker/redis/redis.sh",
    is_replicated=False,
    executables=("redis-server",),
)
LOG_SINK = ComponentSpec(
    name="log-sink",
    does="The recorder of warnings and errors.",
    kind="service",
    package="log_sink",
    ports=(Port("log-sink", 8003, "PLUMBLINE_PORT"), Port("log-ingest", 9001, "PLUMBLINE_INGEST_PORT", "UDP")),
    health_path="/logs/health",
    needs=("redis",),
    calls=("redis",),
    secrets=_INSIDE,
    settings_model="log_sink.settings:LogSinkSettings",
    defaults=("stack", "log-sink"),
)
BACKEND = ComponentSpec(
    name="backend",
    does="Users, channels, messages and live events.",
    kind="service",
    step="services",
    package="backend",
    ports=(Port("backend", 8001, "PLUMBLINE_PORT"),),
    health_path="/health",
    needs=("redis",),
    needs_schema=True,
    calls=("postgres", "redis", "internal"),
    migration="Bring the backend's tables to head (Alembic), and create the operator or update their password.",
    secrets=(*_DATABASE, *_INSIDE),
    migration_secrets=("operator_password",),
    settings_model="backend.settings:BackendSettings",
    defaults=("stack", "services", "database", "backend"),
)
DATA_PROCESSOR = ComponentSpec(
    name="data-processor",
    does="Documents, annotations, templates and batch jobs.",
    kind="service",
    step="services",
    package="data_processor",
    ports=(Port("data-processor", 8002, "PLUMBLINE_PORT"),),
    health_path="/data-processor/health",
    needs=("redis",),
    needs_schema=True,
    calls=("postgres", "redis", "internal"),
    migration="Bring the data-processor's tables to head (Django).",
    secrets=(*_DATABASE, *_INSIDE),
    settings_model="data_processor.config:DataProcessorSettings",
    defaults=("stack", "services", "database", "data-processor"),
)
WORKER = ComponentSpec(
    name="worker",
    does="Carries out jobs: reads documents, runs batches.",
    kind="worker",
    step="services",
    image="data-processor",
    package="data_processor",
    command="work",
    needs=("redis",),
    needs_schema=True,
    calls=("postgres", "redis", "internal"),
    secrets=(*_DATABASE, *_INSIDE),
    settings_model="data_processor.config:DataProcessorSettings",
    defaults=("stack", "services", "database", "worker"),
    hangs_after_s=30,
)
CADDY = ComponentSpec(
    name="caddy",
    does="The front door, and the internal proxy to the recorder.",
    kind="front",
    # It answers health checks itself at the first port and forwards requests at the second.
    ports=(
        Port("internal", 9000, "PLUMBLINE_INTERNAL_PORT"),
        Port("front", facts.FRONT_PORT, "PLUMBLINE_FRONT_PORT"),
    ),
    health_path="/health",
    needs=("log-sink", "backend", "data-processor"),
    calls=("backend", "data-processor", "log-sink", "log-ingest"),
    secrets=("internal_secret",),
    settings_model="plumbline.settings.caddy:CaddySettings",
    settings_file="docker/caddy/Caddyfile",
    defaults=("caddy",),
    executables=("caddy",),
)

BASELINE = ComponentSpec(
    name="baseline",
    does="Plumbline as it was before Postgres: chat in SQLite, documents in memory.",
    kind="service",
    package="baseline",
    ports=(Port("baseline", 8004, "PLUMBLINE_PORT"),),
    health_path="/health",
    needs=("log-sink",),
    calls=("internal",),
    secrets=("token_secret", "operator_password", "internal_secret"),
    settings_of="backend",
    defaults=("stack", "baseline/baseline"),
    is_replicated=False,
    keeps_data=True,
)
"""Not part of the stack: `rollback --to baseline` runs it in place of all that needs Postgres."""

TABLE: tuple[ComponentSpec, ...] = (POSTGRES, REDIS, LOG_SINK, BACKEND, DATA_PROCESSOR, WORKER, CADDY)

COMPONENTS: tuple[str, ...] = tuple(one.name for one in TABLE)
"""All components, in the order in which they start."""
SPECS: dict[str, ComponentSpec] = {one.name: one for one in (*TABLE, BASELINE)}
"""All components by name, also the baseline."""
START_IN_IMAGE = "/app/start"
"""Program in the images of our components that runs a command of their package (docker/service/Dockerfile)."""
OUR_OWN: tuple[str, ...] = tuple(one.name for one in TABLE if one.package)
"""The components that are our own code."""
SERVICES: tuple[str, ...] = tuple(one.name for one in TABLE if one.kind == "service")
"""Our own components that serve HTTP, each with a health check."""
HEALTH_PATHS: dict[str, str] = {name: SPECS[name].health_path for name in SERVICES}
"""Path of each service's health check, at the front door and at the service itself."""
MIGRATING: tuple[str, ...] = tuple(one.name for one in TABLE if one.migration)
"""Components with migrations, in the order in which these run: later tables refer to earlier ones."""
IMAGES: tuple[str, ...] = tuple(dict.fromkeys(one.image_name for one in TABLE))
"""All our images. The component of the same name builds it."""
PORTS: dict[str, Port] = {port.name: port for one in TABLE for port in one.ports}
OWNERS: dict[str, str] = {port.name: one.name for one in TABLE for port in one.ports}
"""Port name to the component that listens there."""
MIGRATION_CALLS: tuple[str, ...] = ("postgres", "internal")
"""Names of the ports that migrations connect to."""


def migration_step(name: str) -> str:
    """Return the step of the plan that runs a component's migrations."""
    return f"migrate-{name}"


def started_by(step: str) -> tuple[str, ...]:
    """Return the components that a step of the plan starts."""
    return tuple(one.name for one in SPECS.values() if one.step_name == step)


def variable(name: str) -> str:
    """Return the name of a component, port or secret in the form of an environment variable: DATA_PROCESSOR."""
    return name.replace("-", "_").upper()
