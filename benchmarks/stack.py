"""A throwaway Postgres and Redis, with services and floors started as a deployment starts them."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import psycopg
import requests

from plumbline import ROOT, secret_files
from plumbline.components import PORTS
from plumbline.errors import PlumblineError
from plumbline.home import Home
from plumbline.net import free_port
from plumbline.targets.embedded.postgres import private_place
from plumbline.targets.embedded.programs import Layout, service_command
from plumbline.verification.throwaway import PostgresServer, RedisServer, shared_secrets, wait_until

_READY = {"backend": "/health", "data-processor": "/data-processor/health", "log-sink": "/logs/health"}
SERVICES = tuple(_READY)
WITH_TABLES = ("backend", "data-processor")
# One user sends all requests, and a busy machine must not refuse any.
_LIMITS = {
    "PLUMBLINE_SLOW_PER_USER": "64",
    "PLUMBLINE_SLOW_PER_ADDRESS": "64",
    "PLUMBLINE_DATABASE_WAIT_S": "30",
    "PLUMBLINE_DECODE_TIMEOUT_S": "60",
    "PLUMBLINE_REGISTRATIONS_PER_ADDRESS": "1000000",
    "PLUMBLINE_LOGIN_ATTEMPTS_PER_ADDRESS": "1000000",
}
_STOP_S = 15
_START_S = 120
"""Long, because all programs start at once, and the machine may be busy."""
_LAST_LINES = 15


class BenchStack:
    """One database with its services, with the environments and command lines of the embedded target.

    The services run from `checkout`, which may be that of another release.
    """

    def __init__(self, folder: Path, settings: Mapping[str, object], checkout: Path = ROOT) -> None:
        self._checkout = checkout
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self._settings = _LIMITS | _variables(settings)
        self._urls: dict[str, str] = {}
        self._folder = folder
        self._ending = contextlib.ExitStack()
        self.postgres = PostgresServer(folder)
        (folder / "redis").mkdir()
        self.redis = RedisServer(folder / "redis")
        home = Home(folder / "plumbline")
        home.prepare()
        secret_files.generate(home.secrets)
        shutil.copy(self.postgres.password_file, home.secrets / "postgres_password")
        shared_secrets(home.secrets)
        self.operator_password = (home.secrets / "operator_password").read_text().strip()
        ports = {name: free_port() for name in PORTS}
        ports |= {"postgres": self.postgres.port, "redis": self.redis.port}
        self.layout = Layout(home, ports, "benchmark")

    def connect(self, options: str = "") -> psycopg.Connection[tuple[object, ...]]:
        """Return a connection to the database, in autocommit."""
        return psycopg.connect(self.postgres.conninfo, autocommit=True, options=options)

    def migrate(self) -> None:
        """Apply all migrations."""
        for service in WITH_TABLES:
            done = subprocess.run(
                service_command(service, "migrate"),
                env=self._from_checkout(self.layout.migration_environment(service)),
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            if done.returncode != 0:
                raise PlumblineError(f"{service} migrate failed: {done.stderr.strip()}")

    def serve(self, service: str, core: int | None = None) -> int:
        """Start a service as production does (on one core, if given), wait until it is ready, and return its port."""
        self.begin(service, core)
        self.wait_for(service, self._urls[service])
        return self.layout.ports[service]

    def begin(self, service: str, core: int | None = None) -> None:
        """Start a service without waiting for it."""
        self._urls[service] = self.layout.url(service, _READY[service])
        environment = self._from_checkout(self.layout.service_environment(service)) | self._settings
        self.start(service, service_command(service, "serve"), environment, core)

    def begin_floor(self, module: str, beside: str, **settings: object) -> int:
        """Start a web server of benchmarks.floors in the environment of a service; return its port."""
        port = free_port()
        name = f"{module}-{port}"
        self._urls[name] = f"http://127.0.0.1:{port}/none"
        command = [sys.executable, "-m", f"benchmarks.floors.{module}"]
        self.start(name, command, self.environment(beside, port=port, **settings))
        return port

    def floor(self, module: str, *arguments: object) -> dict[str, Any]:
        """Run a program of benchmarks.floors in the data-processor's environment; return the JSON that it prints."""
        done = subprocess.run(
            [sys.executable, "-m", f"benchmarks.floors.{module}", *map(str, arguments)],
            env=self.environment("data-processor"), capture_output=True, text=True, check=False, cwd="/",
        )  # fmt: skip
        if done.returncode != 0:
            raise PlumblineError(f"{module} failed:\n{done.stderr[-1500:]}")
        return dict(json.loads(done.stdout))

    def wait_for_all(self) -> None:
        """Wait until everything that was started is ready."""
        for name, url in self._urls.items():
            self.wait_for(name, url)

    def environment(self, service: str, **settings: object) -> dict[str, str]:
        """Return the environment of a service with other `settings`, in which benchmarks can be imported."""
        environment = self.layout.service_environment(service) | self._settings | _variables(settings)
        environment["PYTHONPATH"] = os.pathsep.join((environment["PYTHONPATH"], str(ROOT)))
        return environment

    def _from_checkout(self, environment: dict[str, str]) -> dict[str, str]:
        path = environment["PYTHONPATH"].replace(str(ROOT), str(self._checkout))
        return {**environment, "PYTHONPATH": path}

    def start(
        self, name: str, command: list[str], environment: Mapping[str, str], core: int | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a program, to be stopped with the stack; its output goes to a log."""
        pin = (
            None if core is None or not hasattr(os, "sched_setaffinity") else (lambda: os.sched_setaffinity(0, {core}))
        )
        with self._log(name).open("ab") as log:
            process = subprocess.Popen(command, env=environment, cwd="/", stdout=log, stderr=log, preexec_fn=pin)
        self._ending.callback(_end, process)
        self.running[name] = process
        return process

    def wait_for(self, name: str, url: str) -> None:
        """Wait until `url` answers 200. Raises PlumblineError with the end of the log of `name`."""

        def answers() -> bool:
            if self.running[name].poll() is not None:
                raise PlumblineError(f"{name} has ended:\n{self.last_lines(name)}")
            try:
                return requests.get(url, timeout=5).status_code == 200
            except requests.RequestException:
                return False

        try:
            wait_until(answers, f"{name} answers {url}", _START_S)
        except AssertionError as error:
            raise PlumblineError(f"{error}:\n{self.last_lines(name)}") from None

    def last_lines(self, name: str) -> str:
        """Return the end of a program's log."""
        return "\n".join(self._log(name).read_text(errors="replace").splitlines()[-_LAST_LINES:])

    def cpu_s(self, *names: str) -> float:
        """Return the CPU time that these programs and Postgres have taken, with all of their processes."""
        taken = 0.0
        for pid in (self.postgres.pid, *(self.running[name].pid for name in names)):
            main = psutil.Process(pid)
            for one in (main, *main.children(recursive=True)):
                with contextlib.suppress(psutil.NoSuchProcess):
                    times = one.cpu_times()
                    taken += times.user + times.system + times.children_user + times.children_system
        return taken

    def close(self) -> None:
        """Stop every program."""
        for process in self.running.values():
            process.terminate()
        self._ending.close()
        self.redis.stop()
        self.postgres.stop()

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"


@contextlib.contextmanager
def bench_stack(*, migrated: bool = True, workers: int | None = None, checkout: Path = ROOT) -> Iterator[BenchStack]:
    """Yield a stack with Redis and, if `migrated`, a migrated Postgres; delete it afterwards.

    `workers` is the number of processes of each service and floor; without it, what a deployment has.
    """
    folder = Path(tempfile.mkdtemp(prefix="plumbline-bench-"))
    stack: BenchStack | None = None
    try:
        stack = BenchStack(folder, {"workers": workers} if workers else {}, checkout)
        stack.redis.start()
        if migrated:
            stack.postgres.start()
            stack.migrate()
        yield stack
    finally:
        if stack is not None:
            stack.close()
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(private_place(folder / "home"), ignore_errors=True)


def _variables(settings: Mapping[str, object]) -> dict[str, str]:
    return {f"PLUMBLINE_{name.upper()}": str(value) for name, value in settings.items()}


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
