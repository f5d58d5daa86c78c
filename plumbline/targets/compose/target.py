"""The compose target: runs the stack as containers of a Docker engine."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import Iterator

from servicekit import facts

from plumbline import causes, fingerprint, net, secret_files
from plumbline.components import CADDY, POSTGRES, REDIS, SPECS, START_IN_IMAGE, migration_step
from plumbline.errors import PlumblineError, StepError
from plumbline.home import write_privately
from plumbline.identity import compare
from plumbline.inside import Inside, Process
from plumbline.patience import Patience, work_of
from plumbline.rotation.target import RedisRule
from plumbline.stack import Component, Stack
from plumbline.targets import postgres_shell
from plumbline.targets.compose import checks, containers, engine, https, images
from plumbline.targets.compose.project import Project
from plumbline.targets.in_a_home import TargetInAHome

_MIGRATION_STILL_S, _MIGRATION_MOST_S = 300, 4 * 3600
"""How long migrations may wait without work, such as for a lock, and how long in all, such as for a large index."""
_WAIT_S = 30
_POLL_S = 0.2
_KILL_ALL = "kill -9 -1"
_POSTGRES_DATA = "/var/lib/postgresql/data"
_PASSWORD_FILE = "/run/secrets/postgres_password"  # noqa: S105  a path
_FROM_CHECKOUT = "deploy it from a checkout of the same version first: delete `bundle` in the home, ./deploy-local.sh"


class ComposeTarget(TargetInAHome):
    """One stack of containers. See `plumbline.targets.base.Target` for the methods' contracts."""

    name = "compose"
    secrets_are_mounted = True

    # State

    @property
    def project(self) -> Project:
        """The Compose project of this stack."""
        front_port = self._state.ports.get("front", facts.FRONT_PORT)
        state = self._state
        return Project(
            self.home, state.stack_id, front_port, self._applied, self._marks_of_secrets, self.lineup, self._https
        )

    def component(self, name: str) -> Component:
        """Return the state of one component."""
        found = containers.all_of(self.project).get(name)
        return found.component() if found else Component(name, "stopped")

    def stack(self) -> Stack:
        """Return the current state of the stack. Postgres and Redis are at their containers' own addresses."""
        found = containers.all_of(self.project)
        postgres, redis, front = (found.get(one.name) for one in (POSTGRES, REDIS, CADDY))
        return self._stack(
            front.published if front and front.published else self._front(),
            self._postgres_at(postgres.address if postgres else "", POSTGRES.port.number),
            f"{redis.address if redis else ''}:{REDIS.port.number}",
            (
                found[name].component() if name in found else Component(name, "stopped")
                for name in self.lineup.components
            ),
        )

    # Preflight

    def problems(self) -> list[str]:
        """Return all problems that prevent a deployment."""
        project = Project(self.home, self._state.stack_id, self._front_port(), self._wanted, lineup=self.lineup)
        return self._settings_problems() + self._https_problems() + checks.problems(project, self._owns_port)

    def _owns_port(self, port: int) -> bool:
        if port != self._state.ports.get("front"):
            return False
        try:
            front = containers.all_of(self.project).get(CADDY.name)
        except StepError:
            return True  # the engine does not answer, which another check reports
        return bool(front and front.status == "running")

    def unchanged(self) -> bool:
        """Return whether exactly this stack, from exactly these files, is ready."""
        state = self._state
        if state.phase != "ready" or not self._is_as_wanted() or not self._remembers(self._marks()):
            return False
        stack = self.stack()
        return stack.running and not compare(stack.base_url, state.stack_id, paths=self.lineup.health_paths)

    def from_this_checkout(self) -> bool:
        """Return whether the stack was deployed from the current files of this checkout or its bundle."""
        return self._sources() == self._state.sources

    def _sources(self) -> str:
        if self.project.from_bundle:
            return fingerprint.of_programs([(self.project.unpacked / "manifest.json").read_text()])
        return fingerprint.of_sources(also=images.INPUTS)

    def _marks(self) -> dict[str, str]:
        # Without settings and front port, which may change during the life of a deployment.
        neutral = Project(self.home, lineup=self.lineup)
        return {"sources": self._sources(), "programs": fingerprint.of_programs([neutral.resolved()])}

    def begin(self) -> None:
        """Store that a deployment has begun, and its identity."""
        self.home.prepare()
        front = self._front_port() or self._state.ports.get("front") or net.free_port()
        self._state = self.home.save(self._state, target=self.name, ports={"front": front})
        marks = self._marks()
        self._begin(marks, resume=self._remembers(marks) and bool(containers.all_of(self.project)))

    # Steps of the plan

    def _make_secrets(self) -> str:
        done = super()._make_secrets()
        secret_files.share_with_containers(self.home.secrets)
        return done

    def _make_images(self) -> str:
        if not self.project.from_bundle:
            return images.build(self.project)
        absent = images.missing(self.project)
        if absent:
            raise StepError(
                f"the engine does not have {', '.join(absent)} of the bundle",
                hint="load the bundle again: python -m plumbline bundle load ARCHIVE",
            )
        return "from the bundle"

    def _bring_up(self, *names: str) -> str:
        before = containers.all_of(self.project)
        paused = [before[name].id for name in names if name in before and before[name].status == "paused"]
        if paused:  # Compose would start them, which the engine refuses for paused containers
            engine.output("unpause", *paused, component=names[0])
        self.project.compose("up", "--detach", "--no-deps", "--no-build", "--pull", "never", *names, component=names[0])
        with causes.named(self.log_tail):
            after = containers.wait_ready(self.project, *names)
        if CADDY.name in names and self._https:
            self._fetch_authority()
        same = all(name in before and before[name].started_at == after[name].started_at for name in names)
        return "already running" if same else "started"

    def _fetch_authority(self) -> None:
        """Copy the certificate of Caddy's own authority to the home, for clients on this machine."""
        container = containers.one_of(self.project, CADDY.name)
        patience = Patience(_WAIT_S)
        while (done := engine.docker("exec", container.id, "cat", https.AUTHORITY)).returncode != 0:
            if patience.is_over():
                raise StepError(f"Caddy has no authority of its own: {done.stderr.strip()}", component=CADDY.name)
            time.sleep(_POLL_S)
        self.home.tls.mkdir(mode=0o700, exist_ok=True)
        write_privately(self._ca_file(), done.stdout)

    def _migrate(self, name: str, back_to: str = "") -> str:
        step = migration_step(name)
        if back_to:
            self.project.compose("rm", "--force", step, component=step)
            command = (step, "migrate", "--back-to", back_to)
            self.project.compose("run", "--detach", "--no-deps", "--pull", "never", *command, component=step)
        else:
            self.project.compose(
                "up", "--detach", "--no-deps", "--no-build", "--pull", "never", "--force-recreate", step, component=step
            )
        container = containers.one_of(self.project, step)
        exit_code = self._end_of(container, step)
        if exit_code != 0:
            with causes.named(self.log_tail):
                raise StepError(f"the migrations of {name} ended with an error", component=step, exit_code=exit_code)
        if back_to:
            engine.output("rm", container.id, component=step)
        return "at head"

    def _end_of(self, migration: containers.Container, step: str) -> int:
        """Wait for the end of migrations, as long as they or Postgres work; return their exit code."""
        pids = [migration.pid, containers.one_of(self.project, POSTGRES.name).pid]
        patience = Patience(_MIGRATION_STILL_S, _MIGRATION_MOST_S)
        while True:
            with contextlib.suppress(StepError):  # it has not ended
                return int(engine.docker("wait", migration.id, timeout=_WAIT_S).stdout.strip() or 1)
            if patience.is_over(lambda: int(sum(map(work_of, pids)))):
                raise StepError(f"the migrations did not end within {patience}", component=step)

    # Operation

    def deliver_secrets(self) -> None:
        """Do nothing: containers mount the files themselves."""

    def set_redis_passwords(self, rule: RedisRule, digest: str) -> None:
        """Let Redis accept the password with this SHA-256, too, or only that one."""
        container = containers.one_of(self.project, REDIS.name)
        engine.output("exec", container.id, "/opt/plumbline/redis.sh", rule, digest, component=REDIS.name)

    def start(self, *components: str) -> None:
        """Start components and wait until each is ready."""
        for name in components:
            engine.output("start", containers.one_of(self.project, name).id, component=name)
        with causes.named(self.log_tail):
            containers.wait_ready(self.project, *components)

    def stop(self, *components: str) -> None:
        """Stop components, and wait until each has ended."""
        found = containers.all_of(self.project)
        ids = [found[name].id for name in components if name in found]
        if ids:
            engine.output("stop", *ids)

    def switch(self, release: str, snapshot: str = "") -> None:
        """Stop what the line-up of `release` lacks, and store that the next deployment is of that release."""
        if release and self.project.from_bundle:
            raise PlumblineError("this stack came in a bundle, which does not have the baseline", hint=_FROM_CHECKOUT)
        super().switch(release, snapshot)

    def _stop_for_good(self, *names: str) -> None:
        """Remove containers: the engine would start those that are only stopped with other commands."""
        self.stop(*names)
        found = containers.all_of(self.project)
        ids = [found[name].id for name in names if name in found]
        if ids:
            engine.output("rm", *ids)

    def _delete_database(self) -> None:
        found = self.project.volumes("postgres-data")
        if found:
            engine.output("volume", "rm", *found)

    def kill(self, component: str) -> None:
        """Kill all processes of a component's container; the engine restarts it.

        They are killed from inside, because the engine does not restart a container after its own `kill`.
        """
        engine.docker("exec", containers.one_of(self.project, component).id, "sh", "-c", _KILL_ALL)

    def down(self) -> list[str]:
        """Stop and remove all containers in reverse order. Keeps the volume."""
        found = containers.all_of(self.project)
        running = [name for name in SPECS if name in found and found[name].status == "running"]
        if found or self.project.labelled("network"):
            # Without the file, which may be changed or deleted: the engine knows the project's containers.
            engine.output("compose", "--project-name", self.project.name, "down", "--remove-orphans")
        if self.home.exists:
            self._state = self.home.save_down(self._state)
        return running

    def remove(self) -> list[str]:
        """Stop the stack and delete everything it created."""
        self.down()
        volumes = self.project.labelled("volume")
        if volumes:
            engine.output("volume", "rm", *volumes)
        images.remove(self.project)
        return self.home.remove()

    def kill_process(self, process: Process) -> None:
        """Kill one process."""
        engine.docker("exec", process.place, "sh", "-c", f"kill -9 {process.pid}")

    def inside(self) -> Inside:
        """Return the processes and listeners in the containers."""
        return containers.inside(self.project)

    @contextlib.contextmanager
    def throwaway_postgres(self, script: str, *arguments: str) -> Iterator[list[str]]:
        """Yield the command line that runs a bash script with a new, empty Postgres in a container of its own."""
        image = containers.one_of(self.project, POSTGRES.name).image
        # A volume without a name is removed with its container.
        places = ["--read-only", "--tmpfs=/tmp:mode=1777,size=64m", f"--volume={_POSTGRES_DATA}"]
        limits = ["--cap-drop=ALL", "--security-opt=no-new-privileges", "--memory=1g", "--pids-limit=256"]
        options = ["--rm", "--interactive", "--network=none", *places, *limits]
        bash, *rest = postgres_shell.throwaway(script, f"{_POSTGRES_DATA}/throwaway", arguments)
        yield ["docker", "run", *options, f"--entrypoint={bash}", image, *rest]

    def postgres_script(self, script: str, *arguments: str) -> list[str]:
        """Return the command line that runs a bash script in Postgres's container."""
        container = containers.one_of(self.project, POSTGRES.name)
        inside = postgres_shell.connected(script, postgres_shell.in_its_container(_PASSWORD_FILE), arguments)
        return ["docker", "exec", "--interactive", container.id, *inside]

    def execute(self, component: str, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run another command of a component's program, inside of its container."""
        container = containers.one_of(self.project, component)
        return engine.docker("exec", "--interactive", container.id, START_IN_IMAGE, *arguments, stdin=stdin)

    def log_tail(self, component: str, lines: int) -> list[str]:
        """Return the last lines of the log of a container or of the build."""
        if component == images.LOG:
            log = self.home.logs / f"{images.LOG}.log"
            return log.read_text(errors="replace").splitlines()[-lines:] if log.exists() else []
        found = containers.all_of(self.project).get(component)
        return containers.log_tail(found, lines) if found else []

    def describe(self) -> dict[str, str]:
        """Return file name to text for a diagnostics bundle."""
        found = containers.all_of(self.project)
        files = {f"logs/{name}.log": "\n".join(containers.log_tail(one, 2000)) for name, one in found.items()}
        files[f"logs/{images.LOG}.log"] = "\n".join(self.log_tail(images.LOG, 2000))
        ids = [one.id for one in found.values()]
        files["inspect.json"] = json.dumps(engine.inspect(ids), indent=2)
        commands = {
            "compose-ps.txt": ("ps", "--all"),
            "compose-config.yaml": ("config",),
            "compose-images.txt": ("images",),
        }
        for name, arguments in commands.items():
            done = self.project.try_compose(*arguments)
            files[name] = done.stdout + done.stderr
        files["docker-info.txt"] = engine.docker("info").stdout
        return files
