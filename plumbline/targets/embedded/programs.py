"""The command line and environment of every supervised component."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from plumbline import ROOT, environment
from plumbline.components import BACKEND, BASELINE, CADDY, POSTGRES, REDIS, SPECS, variable
from plumbline.errors import PlumblineError
from plumbline.home import Home
from plumbline.https.door import Https
from plumbline.plan import TODAY, Lineup
from plumbline.settings.resolve import NONE, Wanted
from plumbline.targets.embedded import redis_server
from plumbline.targets.embedded.postgres import Cluster
from plumbline.targets.embedded.supervisor import Program

CADDYFILE = ROOT / CADDY.settings_file
WATCH = "watch"
_VERSION_S = 30
_SWAGGER_UI = "drf_spectacular_sidecar"
_WATCH_MODULE = "plumbline.targets.embedded.watch"


def find_caddy() -> Path | None:
    """Return the path of Caddy: beside this Python, else on PATH."""
    beside = Path(sys.executable).parent / "caddy"
    if beside.exists():
        return beside
    found = shutil.which("caddy")
    return Path(found) if found else None


def caddy_version() -> list[str]:
    """Return what Caddy says of its version: one line, or none without a Caddy."""
    caddy = find_caddy()
    if caddy is None:
        return []
    done = subprocess.run([caddy, "version"], capture_output=True, text=True, check=False, timeout=_VERSION_S)
    return done.stdout.splitlines()[:1]


def caddy_command(caddy: Path) -> list[str]:
    """Return Caddy's command line."""
    return [str(caddy), "run", "--config", str(CADDYFILE), "--adapter", "caddyfile"]


def swagger_ui() -> Path:
    """Return the folder of Swagger UI, which the package of that name brings along."""
    found = importlib.util.find_spec(_SWAGGER_UI)
    if found is None or found.origin is None:
        raise PlumblineError(f"the package {_SWAGGER_UI} is not installed", hint="./deploy-local.sh doctor")
    return Path(found.origin).parent / "static" / _SWAGGER_UI / "swagger-ui-dist"


def service_command(name: str, verb: str = "") -> list[str]:
    """Return the command line of one of our components, or of another command of its package."""
    return [sys.executable, "-m", SPECS[name].package, verb or SPECS[name].command]


def missing_packages() -> list[str]:
    """Return the Python packages that the services need and this environment lacks."""
    needed = (
        "granian",
        "fastapi",
        "django",
        "alembic",
        "argon2",
        "PIL",
        "pypdfium2",
        "supervisor",
        "psycopg_pool",
        "procrastinate",
        _SWAGGER_UI,
    )
    return [name for name in needed if importlib.util.find_spec(name) is None]


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths and ports of one deployment. `told` holds its settings, `marks` fingerprints of its secrets."""

    home: Home
    ports: dict[str, int]
    stack_id: str
    told: Wanted = NONE
    marks: Mapping[str, str] = field(default_factory=dict)
    lineup: Lineup = TODAY
    https: Https | None = None

    def url(self, component: str, path: str = "") -> str:
        """Return a component's own HTTP address."""
        return f"http://127.0.0.1:{self.ports[component]}{path}"

    @property
    def redis_url(self) -> str:
        """Address of Redis for the services."""
        return f"redis://127.0.0.1:{self.ports['redis']}/0"

    def service_environment(self, name: str) -> dict[str, str]:
        """Return the environment of one of our components. Secrets are passed as file names, never as values."""
        spec = SPECS[name]
        folder = ROOT / "services" / spec.folder
        found = {
            **({"PLUMBLINE_COOKIE_SECURE": "true"} if self.https and spec in (BACKEND, BASELINE) else {}),
            **self.told.of(spec.settings_of or name),
            **environment.for_python(folder, ROOT / "services" / "servicekit"),
            "PYTHONUNBUFFERED": "1",
            "HOME": str(self.home.run),  # libpq reads ~/.pgpass and ~/.postgresql
            "TMPDIR": str(self.home.run),  # files of a killed service are deleted with the home
            "PLUMBLINE_STACK_ID": self.stack_id,
            **self._secret_files(spec.secrets),
        }
        for port in spec.ports:
            found[port.setting.replace("_PORT", "_HOST")] = "127.0.0.1"
            found[port.setting] = str(self.ports[port.name])
        if spec is BASELINE:
            found["PLUMBLINE_FOLDER"] = str(self.home.data / name)
        for called in spec.calls:
            found |= self._address_variables(called)
        return found

    def _address_variables(self, port: str) -> dict[str, str]:
        """Return the variables with the address of a port, for a component that connects to it."""
        match port:
            case "postgres":
                return {"PLUMBLINE_POSTGRES_HOST": "127.0.0.1", "PLUMBLINE_POSTGRES_PORT": str(self.ports[port])}
            case "redis":
                return {"PLUMBLINE_REDIS_URL": self.redis_url}
            case "internal":
                return {"PLUMBLINE_LOG_FORWARD_URL": self.url(port, "/ingest")}
            case _:
                return {f"PLUMBLINE_{variable(port)}": f"127.0.0.1:{self.ports[port]}"}

    def _secret_files(self, names: Iterable[str]) -> dict[str, str]:
        return {f"PLUMBLINE_{variable(name)}_FILE": str(self.home.secrets / name) for name in names}

    def migration_environment(self, name: str) -> dict[str, str]:
        """Return the settings of a component's migrations."""
        return self.service_environment(name) | self._secret_files(SPECS[name].migration_secrets)

    def caddy_environment(self) -> dict[str, str]:
        """Return the environment of Caddy."""
        folder = str(self.directory(CADDY.name))
        host = {"PLUMBLINE_FRONT_HOST": self.https.front_host} if self.https else {}
        return {
            **host,
            **self.told.of(CADDY.name),
            "HOME": folder,
            "XDG_DATA_HOME": folder,
            "XDG_CONFIG_HOME": folder,
            "PLUMBLINE_FILES": str(ROOT),
            "PLUMBLINE_SWAGGER_UI": str(swagger_ui()),
            **self._secret_files(CADDY.secrets),
            **{port.setting: str(self.ports[port.name]) for port in CADDY.ports},
            **{
                f"PLUMBLINE_{variable(name)}": f"127.0.0.1:{self.ports[self.lineup.answers_at(name)]}"
                for name in CADDY.calls
            },
            **(self.https.caddy_environment(self.ports["front"]) if self.https else {}),
        }

    def directory(self, component: str) -> Path:
        """Return the working directory of a component, which identifies its processes."""
        return self.home.run / component

    def programs(self, cluster: Cluster) -> list[Program]:
        """Return every program to supervise, in the order of the plan."""
        redis, caddy = redis_server.find(), find_caddy()
        if redis is None or caddy is None:
            raise PlumblineError(
                "redis-server or caddy was removed after the deployment", hint="./deploy-local.sh doctor"
            )
        redis_password = redis_server.environment(
            redis, self.home.secrets / "redis_password", self.directory(REDIS.name)
        )
        foreign = {
            REDIS.name: (redis_server.command(self.ports["redis"], self.directory(REDIS.name)), redis_password),
            CADDY.name: (caddy_command(caddy), self.caddy_environment()),
        }
        every = []
        for spec in self.lineup.table:
            name, stop = spec.name, (spec.stop_signal, spec.stop_wait_s)
            if spec is POSTGRES:
                every.append(Program(name, cluster.command(), cluster.data, {}, cluster.account.name, *stop))
                continue
            command, told = foreign.get(name) or (service_command(name), self.service_environment(name))
            every.append(Program(name, command, self.directory(name), told, None, *stop))
        return [replace(one, environment=one.environment | self._mark(one)) for one in (*every, self._watch())]

    def _mark(self, program: Program) -> dict[str, str]:
        """Return variables that change when a file that the program reads is replaced, so that it restarts."""
        read = [Path(path).name for name, path in program.environment.items() if name.endswith("_FILE")]
        found = [self.marks[name] for name in read if name in self.marks]
        marks = {"PLUMBLINE_SECRETS": ",".join(found)} if found else {}
        if program.name == CADDY.name:
            # Caddy has no stack identity that would change with the files.
            marks["PLUMBLINE_CADDYFILE"] = hashlib.sha256(CADDYFILE.read_bytes()).hexdigest()
        return marks

    def _watch(self) -> Program:
        """Return the program that kills hanging components. It is not a component itself."""
        command = [
            sys.executable,
            "-m",
            _WATCH_MODULE,
            str(self.home.root),
            json.dumps(self.ports),
            self.lineup.release,
        ]
        our_own = environment.for_python(ROOT, ROOT / "services" / "servicekit")
        return Program(WATCH, command, self.directory(WATCH), our_own, autostart=True)
