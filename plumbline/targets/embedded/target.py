"""The embedded target: runs the stack as processes of this machine under a supervisor."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import psutil
from servicekit.secrets import SecretError, read_secret

from plumbline import causes, fingerprint, net, preflight
from plumbline.components import (
    CADDY,
    PORTS,
    POSTGRES,
    REDIS,
    SPECS,
    migration_step,
)
from plumbline.errors import StepError
from plumbline.identity import health_of
from plumbline.inside import CADDY_VERSION, Inside, Process
from plumbline.patience import Patience, work_of
from plumbline.rotation.target import RedisRule
from plumbline.targets import postgres_shell
from plumbline.targets.embedded import (
    inspection,
    leftovers,
    liveness,
    postgres,
    redis_server,
    waiting,
)
from plumbline.targets.embedded.programs import WATCH, caddy_version, service_command
from plumbline.targets.embedded.stack import StackHere

_MIGRATION_STILL_S, _MIGRATION_MOST_S = 300, 4 * 3600
"""How long migrations may wait without work, such as for a lock, and how long in all, such as for a large index."""
_POLL_S = 0.02
_PROBE_S = 2
_COMMAND_S = 120


class EmbeddedTarget(StackHere):
    """One stack of local processes. See `plumbline.targets.base.Target` for the methods' contracts."""

    name = "embedded"

    # Preflight

    def problems(self) -> list[str]:
        """Return all problems that prevent a deployment."""
        return (
            self._settings_problems()
            + self._https_problems()
            + preflight.embedded_problems(self.home, self._front_port(), self._owns_port)
        )

    def _owns_port(self, port: int) -> bool:
        """Return whether the listener on `port` is this stack's Caddy, supervised or left over."""
        listener = net.listener(port)
        if listener is None:
            return False
        with contextlib.suppress(Exception):
            return listener.cwd() == str(self._layout().directory(CADDY.name).resolve())
        return False

    def unchanged(self) -> bool:
        """Return whether exactly this stack, from exactly these files, is ready."""
        state = self._state
        if state.phase != "ready" or not self._supervisor.alive() or not self.stack().running:
            return False
        if not self._is_as_wanted() or not self.from_this_checkout():
            return False
        if self._programs_mark(state.ports) != state.programs:
            return False
        return not self._differences()

    def from_this_checkout(self) -> bool:
        """Return whether the stack was deployed from the current files of this checkout."""
        return fingerprint.of_sources() == self._state.sources

    def begin(self) -> None:
        """Store that a deployment has begun, and its identity."""
        self.home.prepare()
        self._supervisor.end_if_hung()
        ports = self._choose_ports()
        self._state = self.home.save(self._state, target=self.name, ports=ports)
        self.__dict__.pop("_cluster", None)
        marks = {"sources": fingerprint.of_sources(), "programs": self._programs_mark(ports)}
        self._begin(marks, resume=self._supervisor.alive() and self._remembers(marks))

    def _choose_ports(self) -> dict[str, int]:
        known = self._state.ports
        front = self._front_port() or known.get("front") or net.free_port()
        ports = {"front": front}
        # All ports of this release are kept while the stack is on the baseline.
        for name in [one for one in dict.fromkeys((*PORTS, *self.lineup.owners)) if one not in ports]:
            port = known.get(name)
            # If another program has taken the port, the component could never start.
            while port is None or port in ports.values() or not (net.is_free(port) or self._holds(name, port)):
                port = net.free_port()
            ports[name] = port
        return ports

    def _holds(self, name: str, port: int) -> bool:
        """Return whether the component of port `name` runs and listens on `port`."""
        owner = self.lineup.owners.get(name)
        return port == self._state.ports.get(name) and owner is not None and self.component(owner).state == "running"

    # Steps of the plan

    def _own_steps(self) -> dict[str, Callable[[], str]]:
        if POSTGRES in self.lineup.table:
            return {POSTGRES.step_name: self._start_postgres}
        return {REDIS.step_name: self._start_redis}

    def _make_images(self) -> str:
        return "none on this target"

    def _end_leftovers(self) -> None:
        behind = leftovers.find(self._directories(), self._supervisor.pid())
        if behind:
            leftovers.end(behind)

    def _start_redis(self) -> str:
        """Start Redis as the first program, on the baseline."""
        self._end_leftovers()
        self._supervisor.apply(self._layout().programs(self._cluster))
        return self._bring_up(REDIS.name)

    def _start_postgres(self) -> str:
        self._end_leftovers()
        created = ""
        password = self._password()
        self._cluster.install()
        if postgres.data_major(self._cluster.data) is None:
            self._cluster.create(password)
            created = "cluster created"
        self._supervisor.apply(self._layout().programs(self._cluster))
        name = POSTGRES.name
        written = {name: waiting.written(self.home.logs, name)}
        probes = {name: lambda: self._cluster.probe(password)}
        started = self._supervisor.start(name)
        if self._wait(probes, written, settled=("password",))[name] == "password":
            self._supervisor.stop(name)
            self._cluster.set_password(password)
            self._supervisor.start(name)
            self._wait(probes, written)
            return "restarted with its new password"
        return created or ("started" if started else "already running")

    def _directories(self) -> list[Path]:
        layout = self._layout()
        return [self._cluster.data, self._cluster.partial, *(layout.directory(name) for name in (*SPECS, WATCH))]

    def _password(self) -> str:
        try:
            return read_secret(self.home.secrets / "postgres_password")
        except SecretError as error:
            raise StepError(str(error), component=POSTGRES.name) from None

    def _migrate(self, name: str, back_to: str = "") -> str:
        command = [*service_command(name, "migrate"), *(["--back-to", back_to] if back_to else [])]
        step = migration_step(name)
        log_file = self.home.logs / f"{step}.log"
        layout = self._layout()
        with (
            log_file.open("wb") as log,
            subprocess.Popen(
                command, env=layout.migration_environment(name),
                cwd=self.home.run, stdout=log, stderr=subprocess.STDOUT,
            ) as process,
        ):  # fmt: skip
            exit_code = self._end_of(process, step)
        if exit_code != 0:
            with causes.named(self.log_tail):
                raise StepError(f"the migrations of {name} ended with an error", component=step, exit_code=exit_code)
        return "at head"

    def _end_of(self, process: subprocess.Popen[bytes], step: str) -> int:
        """Wait for the end of migrations, as long as they or Postgres work; return their exit code."""
        database = self.component(POSTGRES.name).pid
        patience = Patience(_MIGRATION_STILL_S, _MIGRATION_MOST_S)
        try:
            while process.poll() is None:
                if patience.is_over(lambda: int(work_of(process.pid) + work_of(database))):
                    raise StepError(f"the migrations did not end within {patience}", component=step)
                time.sleep(_POLL_S)
        except BaseException:
            process.kill()
            raise
        return int(process.returncode)

    # Waiting

    def _bring_up(self, *names: str) -> str:
        started = self._start(*names)
        if len(names) == 1:
            return "started" if started else "already running"
        return f"{', '.join(started)} started" if started else "already running"

    def _start(self, *names: str) -> list[str]:
        """Start components and wait until each is ready; return those that were not running."""
        for name in names:
            if not SPECS[name].ports:
                # The heartbeat of an earlier process does not count.
                liveness.heartbeat(self.home, name).file.unlink(missing_ok=True)
        written = {name: waiting.written(self.home.logs, name) for name in names}
        started = [name for name in names if self._supervisor.start(name)]
        self._wait({name: self._probe(name) for name in names}, written)
        return started

    def _wait(
        self, probes: Mapping[str, waiting.Probe], written: Mapping[str, int], settled: tuple[str, ...] = ()
    ) -> dict[str, str | None]:
        logs = self.home.logs
        starting = {name: waiting.Starting(self._supervisor, logs, name, written[name]) for name in probes}
        return waiting.until_ready(starting, probes, settled)

    def _probe(self, name: str) -> Callable[[], str | None]:
        """Return a function that returns why a component is not ready, None if it is."""
        own: dict[str, Callable[[], str | None]] = {
            POSTGRES.name: lambda: self._cluster.probe(self._password()),
            REDIS.name: self._probe_redis,
            CADDY.name: self._probe_front,
        }
        if name in own:
            return own[name]
        if not SPECS[name].ports:
            return lambda: liveness.silent(liveness.heartbeat(self.home, name))
        return partial(self._probe_service, name)

    def deliver_secrets(self) -> None:
        """Do nothing: components read the files themselves."""

    def set_redis_passwords(self, rule: RedisRule, digest: str) -> None:
        """Let Redis accept the password with this SHA-256, too, or only that one."""
        redis_server.set_passwords(self._state.ports[REDIS.name], self._layout().directory(REDIS.name), rule, digest)

    def _probe_redis(self) -> str | None:
        return self.stack().redis.problem(_PROBE_S)

    def _probe_service(self, name: str) -> str | None:
        health = health_of(self._layout().url(name, SPECS[name].health_path))
        return health.reason or (None if health.stack_id == self._state.stack_id else "it belongs to another stack")

    def _probe_front(self) -> str | None:
        return health_of(f"{self._front_url()}{CADDY.health_path}").reason

    # Operation

    def start(self, *components: str) -> None:
        """Start components and wait until each is ready."""
        self._start(*components)

    def stop(self, *components: str) -> None:
        """Stop components, and wait until each has ended."""
        self._supervisor.stop(*components)

    def _stop_for_good(self, *names: str) -> None:
        if self._supervisor.alive():
            self._supervisor.stop(*names)

    def kill(self, component: str) -> None:
        """Kill a component's processes; the supervisor restarts them."""
        self._supervisor.kill(component)

    def down(self) -> list[str]:
        """Stop all components in reverse order. Keeps data."""
        running: list[str] = []
        if self._supervisor.alive():
            running = [name for name in self.lineup.components if self.component(name).pid]
            for step in reversed(self.lineup.plan):
                self._supervisor.stop(*step.components)
            self._supervisor.shutdown()
        if self.home.exists:
            self._supervisor.end_if_hung()
            if self._state.ports:
                behind = leftovers.find(self._directories(), None)
                leftovers.end(behind)
                running += [f"{len(behind)} left-over processes"] if behind else []
            self._state = self.home.save_down(self._state)
        return running

    def remove(self) -> list[str]:
        """Stop the stack and delete everything it created."""
        self.down()
        self._supervisor.shutdown()  # also after it was killed, and left its socket outside of the home
        return postgres.remove_private_place(self.home.root) + self.home.remove()

    def _delete_database(self) -> None:
        leftovers.end(leftovers.find([self._cluster.data], None))
        self._cluster.remove()

    def kill_process(self, process: Process) -> None:
        """Kill one process."""
        with contextlib.suppress(psutil.NoSuchProcess):
            psutil.Process(process.pid).kill()

    def inside(self) -> Inside:
        """Return the processes and listeners under the supervisor."""
        redis_settings = Path(self._supervisor.command(REDIS.name)[1]).with_name("redis.conf")
        texts = self._cluster.texts() | {
            "redis.conf": redis_settings.read_text().splitlines(), CADDY_VERSION: caddy_version(),
        }  # fmt: skip
        return inspection.inside(
            map(self.component, self.lineup.components), self._supervisor.pid(), self._state.ports, texts
        )

    @contextlib.contextmanager
    def throwaway_postgres(self, script: str, *arguments: str) -> Iterator[list[str]]:
        """Yield the command line that runs a bash script with a new, empty cluster beside the stack's own."""
        with self._cluster.throwaway() as (folder, prefix):
            yield [*prefix, *postgres_shell.throwaway(script, str(folder), arguments)]

    def postgres_script(self, script: str, *arguments: str) -> list[str]:
        """Return the command line that runs a bash script with the cluster's own programs."""
        address = self._postgres_at("127.0.0.1", self._cluster.port)
        # Nothing of the caller's environment: libpq would read PGOPTIONS and its like.
        environment = [f"PATH={self._cluster.binaries}:/usr/bin:/bin", "LC_ALL=C.UTF-8", f"TMPDIR={self.home.run}"]
        return ["env", "-i", *environment, *postgres_shell.connected(script, address, arguments)]

    def execute(self, component: str, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run another command of a component's program, with the component's settings."""
        return subprocess.run(
            [*service_command(component, arguments[0]), *arguments[1:]],
            env=self._layout().service_environment(component), cwd=self.home.run, input=stdin,
            capture_output=True, text=True, errors="replace", check=False, timeout=_COMMAND_S,
        )  # fmt: skip
