"""What the supervisor runs: every component's command line and environment, from the home and its ports."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from plumbline import ROOT, environment
from plumbline.errors import PlumblineError
from plumbline.home import Home
from plumbline.settings.resolve import NONE, Wanted
from plumbline.targets.embedded import redis_server
from plumbline.targets.embedded.postgres import Cluster
from plumbline.targets.embedded.supervisor import Program

CADDYFILE = ROOT / "docker" / "caddy" / "Caddyfile"
PORTS: tuple[str, ...] = (
    "front",
    "internal",
    "postgres",
    "redis",
    "log-sink",
    "log-ingest",
    "backend",
    "data-processor",
)
"""Every port of a stack. Only `front` is the user's to choose; the others are free ones, remembered."""

WATCH = "watch"
_WATCH_MODULE = "plumbline.targets.embedded.watch"
_PACKAGES = {"log-sink": "log_sink", "backend": "backend", "data-processor": "data_processor"}


def find_caddy() -> Path | None:
    """Return the Caddy to use: the one installed beside this Python, else the one on PATH."""
    beside = Path(sys.executable).parent / "caddy"
    if beside.exists():
        return beside
    found = shutil.which("caddy")
    return Path(found) if found else None


def caddy_command(caddy: Path) -> list[str]:
    """Return Caddy's command line."""
    return [str(caddy), "run", "--config", str(CADDYFILE), "--adapter", "caddyfile"]


def service_command(service: str, verb: str) -> list[str]:
    """Return the command line of a service's `serve` or `migrate`."""
    return [sys.executable, "-m", _PACKAGES[service], verb]


def missing_packages() -> list[str]:
    """Return the Python packages that the services need and this environment lacks."""
    needed = ("granian", "fastapi", "django", "alembic", "argon2", "PIL", "pypdfium2", "supervisor", "psycopg_pool")
    return [name for name in needed if importlib.util.find_spec(name) is None]


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things are for one deployment, which settings its parts are told beyond that, and its secrets' marks."""

    home: Home
    ports: dict[str, int]
    stack_id: str
    told: Wanted = NONE
    marks: Mapping[str, str] = field(default_factory=dict)

    def url(self, component: str, path: str = "") -> str:
        """Return a component's own HTTP address."""
        return f"http://127.0.0.1:{self.ports[component]}{path}"

    @property
    def redis_url(self) -> str:
        """How the services reach Redis."""
        return f"redis://127.0.0.1:{self.ports['redis']}/0"

    def service_environment(self, service: str) -> dict[str, str]:
        """Return the settings of a service. Secrets are named by file, never by value."""
        folder = ROOT / "services" / service
        return {
            **self.told.of(service),
            **environment.for_python(folder, ROOT / "services" / "servicekit"),
            "PYTHONUNBUFFERED": "1",
            "HOME": str(self.home.run),  # libpq reads ~/.pgpass and ~/.postgresql
            "TMPDIR": str(self.home.run),  # what a killed service leaves goes with the home
            "PLUMBLINE_HOST": "127.0.0.1",
            "PLUMBLINE_PORT": str(self.ports[service]),
            "PLUMBLINE_STACK_ID": self.stack_id,
            "PLUMBLINE_REDIS_URL": self.redis_url,
            "PLUMBLINE_REDIS_PASSWORD_FILE": str(self.home.secrets / "redis_password"),
            "PLUMBLINE_INTERNAL_SECRET_FILE": str(self.home.secrets / "internal_secret"),
            **(self._ingest_environment() if service == "log-sink" else self._database_environment()),
        }

    def _ingest_environment(self) -> dict[str, str]:
        return {"PLUMBLINE_INGEST_HOST": "127.0.0.1", "PLUMBLINE_INGEST_PORT": str(self.ports["log-ingest"])}

    def _database_environment(self) -> dict[str, str]:
        secrets = self.home.secrets
        return {
            "PLUMBLINE_LOG_FORWARD_URL": self.url("internal", "/ingest"),
            "PLUMBLINE_POSTGRES_HOST": "127.0.0.1",
            "PLUMBLINE_POSTGRES_PORT": str(self.ports["postgres"]),
            "PLUMBLINE_POSTGRES_PASSWORD_FILE": str(secrets / "postgres_password"),
            "PLUMBLINE_TOKEN_SECRET_FILE": str(secrets / "token_secret"),
        }

    def migration_environment(self, service: str) -> dict[str, str]:
        """Return the settings of a service's migrations. The backend's create the operator."""
        operator = {"PLUMBLINE_OPERATOR_PASSWORD_FILE": str(self.home.secrets / "operator_password")}
        return self.service_environment(service) | (operator if service == "backend" else {})

    def caddy_environment(self) -> dict[str, str]:
        """Return what the Caddyfile reads."""
        folder = str(self.directory("caddy"))
        return {
            **self.told.of("caddy"),
            "HOME": folder,
            "XDG_DATA_HOME": folder,
            "XDG_CONFIG_HOME": folder,
            "PLUMBLINE_FRONT_PORT": str(self.ports["front"]),
            "PLUMBLINE_INTERNAL_PORT": str(self.ports["internal"]),
            "PLUMBLINE_INTERNAL_SECRET_FILE": str(self.home.secrets / "internal_secret"),
            "PLUMBLINE_LOG_INGEST": f"127.0.0.1:{self.ports['log-ingest']}",
            "PLUMBLINE_BACKEND": f"127.0.0.1:{self.ports['backend']}",
            "PLUMBLINE_DATA_PROCESSOR": f"127.0.0.1:{self.ports['data-processor']}",
            "PLUMBLINE_LOG_SINK": f"127.0.0.1:{self.ports['log-sink']}",
        }

    def directory(self, component: str) -> Path:
        """Return the working directory of a component; nobody else works there, so it tells whose a process is."""
        return self.home.run / component

    def programs(self, cluster: Cluster) -> list[Program]:
        """Return every program to supervise, in the order of the plan."""
        redis, caddy = redis_server.find(), find_caddy()
        if redis is None or caddy is None:
            raise PlumblineError(
                "redis-server or caddy has gone since the stack was deployed", hint="./deploy-local.sh doctor"
            )
        here = {name: self.directory(name) for name in ("redis", *_PACKAGES, "caddy")}
        every = [
            Program("postgres", cluster.command(), cluster.data, {}, cluster.account.name, "INT", 30),
            Program(
                "redis",
                redis_server.command(self.ports["redis"], here["redis"]),
                here["redis"],
                redis_server.environment(redis, self.home.secrets / "redis_password"),
            ),
            *(
                Program(name, service_command(name, "serve"), here[name], self.service_environment(name))
                for name in _PACKAGES
            ),
            Program("caddy", caddy_command(caddy), here["caddy"], self.caddy_environment()),
            self._watch(),
        ]  # fmt: skip
        return [replace(one, environment=one.environment | self._mark(one)) for one in every]

    def _mark(self, program: Program) -> dict[str, str]:
        """Return variables that change when a file that the program reads is replaced, so that it is started anew."""
        read = [Path(path).name for name, path in program.environment.items() if name.endswith("_FILE")]
        found = [self.marks[name] for name in read if name in self.marks]
        marks = {"PLUMBLINE_SECRETS": ",".join(found)} if found else {}
        if program.name == "caddy":
            # Services get another identity when the files of a deployment change; Caddy has none.
            marks["PLUMBLINE_CADDYFILE"] = hashlib.sha256(CADDYFILE.read_bytes()).hexdigest()
        return marks

    def _watch(self) -> Program:
        """Return the program that kills what hangs. It is no component: no other part needs it."""
        command = [sys.executable, "-m", _WATCH_MODULE, str(self.home.root), json.dumps(self.ports)]
        our_own = environment.for_python(ROOT, ROOT / "services" / "servicekit")
        return Program(WATCH, command, self.directory(WATCH), our_own, autostart=True)
