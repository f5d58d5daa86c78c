"""The kubernetes target: runs the stack in a namespace of a cluster."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path

from plumbline import causes, fingerprint, net, preflight, secret_files
from plumbline.backups.intervals import NEVER
from plumbline.components import (
    BACKEND,
    BASELINE,
    CADDY,
    MIGRATING,
    PORTS,
    POSTGRES,
    REDIS,
    SPECS,
    migration_step,
)
from plumbline.errors import PlumblineError, StepError
from plumbline.home import Home
from plumbline.inside import Inside, Process
from plumbline.rotation.target import RedisRule
from plumbline.settings.resolve import Wanted
from plumbline.stack import Component, PostgresAddress, Stack
from plumbline.targets.compose import engine
from plumbline.targets.compose.images import INPUTS
from plumbline.targets.in_a_home import TargetInAHome
from plumbline.targets.kubernetes import (
    backups,
    contexts,
    delivery,
    diagnosis,
    forwards,
    images,
    kubectl,
    kustomize,
    migration,
    pods,
    postgres_pod,
    rendering,
)
from plumbline.targets.kubernetes import preflight as cluster_preflight
from plumbline.targets.kubernetes.contexts import LOCAL, Choice
from plumbline.targets.kubernetes.forwards import Forwards, PostgresPort
from plumbline.targets.kubernetes.kubectl import Cluster
from plumbline.targets.kubernetes.kustomize import Document
from plumbline.targets.kubernetes.model import COMPONENT, Manifests
from plumbline.targets.kubernetes.rendering import Recipe

_REPLICAS = "plumbline/replicas"
"""Annotation with the number of pods that a stopped workload had."""
_IMMUTABLE = "updates to statefulset spec"
"""Begin of the API server's error for a change of immutable fields of a StatefulSet."""
_PROBE_S = 2
_KILL_ALL = "kill -9 -1"
# Process 1 of a container ignores SIGKILL from inside. SIGQUIT ends Postgres as a crash would.
_KILL_INIT = "kill -QUIT 1"
_SOURCES = ("k8s", *INPUTS)
_NO_DOMAIN = "--domain is not for a cluster: an Ingress serves HTTPS there (docs/kubernetes.md), drop the option"
_FORWARDED = {"front": CADDY, "postgres": POSTGRES, "redis": REDIS}
"""Name of a forward to the component that it leads to."""


class KubernetesTarget(TargetInAHome):
    """One stack in a cluster. See `plumbline.targets.base.Target` for the methods' contracts."""

    name = "kubernetes"
    refused_settings: Mapping[str, str] = {
        "PLUMBLINE_FRONT_HOST": "a cluster's front door is forwarded to 127.0.0.1; an Ingress opens it to others"
    }

    def __init__(self, home: Home, front_port: int | None = None) -> None:
        super().__init__(home, front_port)
        self._choice = contexts.remembered(home)
        self._rendered: Manifests | None = None

    # State

    def _setting_defaults(self) -> Mapping[str, Mapping[str, str]]:
        return rendering.setting_defaults()

    def _recipe(self, choice: Choice | None = None, stack_id: str | None = None, told: Wanted | None = None) -> Recipe:
        choice = choice or self._choice
        if choice is None:
            raise PlumblineError("this stack was never deployed to a cluster", hint="./deploy-local.sh up")
        mark = rendering.mark_of(self.home)
        identity = self._state.stack_id if stack_id is None else stack_id
        settings = self._applied if told is None else told
        tag = f"{mark}-{identity or 'none'}"
        # Deployments are compared by a neutral rendering, without settings and schedule.
        regular = self._state.backups if told is None else {}
        return Recipe(self.home, choice, mark, identity or "none", tag, settings, self.lineup, regular)

    @property
    def _cluster(self) -> Cluster:
        recipe = self._recipe()
        return Cluster(recipe.choice.context, recipe.namespace)

    @property
    def _forwards(self) -> Forwards:
        return Forwards(self.home, self._cluster)

    def _manifests(self) -> Manifests:
        if self._rendered is None:
            self._rendered = Manifests(self._recipe().documents())
        return self._rendered

    def component(self, name: str) -> Component:
        """Return the state of one component."""
        return next(one for one in self._components() if one.name == name)

    def _components(self) -> tuple[Component, ...]:
        if self._choice is None:
            return tuple(Component(name, "stopped") for name in self.lineup.components)
        try:
            snapshot = pods.fetch(self._cluster)
        except StepError as error:
            return tuple(
                Component(name, "failed", detail=str(error).splitlines()[0]) for name in self.lineup.components
            )
        is_external = self._state.ports.get("postgres") == PostgresPort.EXTERNAL and self._state.phase == "ready"
        return tuple(
            Component(name, "running", detail="external")
            if name == POSTGRES.name and is_external
            else snapshot.component(name)
            for name in self.lineup.components
        )

    def stack(self) -> Stack:
        """Return the current state of the stack, with its addresses on this machine."""
        ports = self._state.ports
        return self._stack(
            f"127.0.0.1:{ports.get('front', 0)}",
            self._postgres_address(),
            f"127.0.0.1:{ports.get('redis', 0)}",
            self._components(),
        )

    def _postgres_address(self) -> PostgresAddress:
        """Return the address of the forwarded port, or of an external Postgres."""
        port = self._state.ports.get("postgres", PostgresPort.NOT_FORWARDED)
        own = self._postgres_at("127.0.0.1", max(port, 0))
        if port != PostgresPort.EXTERNAL:
            return own
        told = self._database_settings()
        return PostgresAddress(
            told["PLUMBLINE_POSTGRES_HOST"], int(told.get("PLUMBLINE_POSTGRES_PORT", "5432")),
            told["PLUMBLINE_POSTGRES_DB"], told["PLUMBLINE_POSTGRES_USER"], own.password_file,
        )  # fmt: skip

    def _database_settings(self) -> dict[str, str]:
        manifests = self._manifests()
        return manifests.environment(manifests.workload(BACKEND.name).main)

    # Preflight

    def problems(self) -> list[str]:
        """Return all problems that prevent a deployment. Asks the user to confirm the cluster."""
        found = [
            *self._settings_problems(),
            *([_NO_DOMAIN] if self._wanted_https else []),
            *preflight.python_problems(),
            *preflight.folder_problems(self.home),
            *preflight.port_problems(self._front_port(), self._owns_port),
            *secret_files.problems(self.home.secrets),
        ]
        if kubectl.program() is None:
            return [*found, kubectl.MISSING]
        choice = contexts.wanted(self.home)
        if choice is None:
            return [*found, contexts.NO_CONTEXT]
        if not (kustomize.OVERLAYS / choice.overlay).is_dir():
            return [*found, f"there is no overlay {choice.overlay} in k8s/overlays"]
        if choice.overlay == LOCAL:
            found += engine.problems()
        # Before any request: a cluster that the user did not mean must not be contacted.
        found += contexts.refused(choice)
        if found:
            return found
        recipe = self._recipe(choice)
        trouble = cluster_preflight.problems(Cluster(choice.context, recipe.namespace), recipe)
        return trouble or contexts.unconfirmed(choice, recipe.namespace)

    def _owns_port(self, port: int) -> bool:
        return self._choice is not None and self._forwards.owner_of(port, self._state.ports)

    def unchanged(self) -> bool:
        """Return whether exactly this stack, from exactly these files, is ready."""
        state, choice = self._state, contexts.wanted(self.home)
        if state.phase != "ready" or choice is None or self._choice is None or choice.context != self._choice.context:
            return False
        if not self._is_as_wanted() or not self._forwards.alive():
            return False
        if not self._remembers(self._marks(choice)) or not self.stack().running:
            return False
        return not self._differences()

    def from_this_checkout(self) -> bool:
        """Return whether the stack was deployed from the current files of this checkout."""
        return fingerprint.of_sources(also=_SOURCES) == self._state.sources

    def _marks(self, choice: Choice) -> dict[str, str]:
        # Without settings, which may change during the life of a deployment.
        neutral = self._recipe(choice, stack_id="", told=Wanted())
        return {
            "sources": fingerprint.of_sources(also=_SOURCES),
            "programs": fingerprint.of_programs([choice.context, neutral.text(real_secrets=False)]),
        }

    def begin(self) -> None:
        """Store that a deployment has begun, its cluster and its identity."""
        choice = contexts.wanted(self.home)
        if choice is None:
            raise StepError("kubectl has no current context")
        self.home.prepare()
        self._choice = Choice(choice.context, choice.overlay, choice.registry, agreed=True)
        self._choice.save(self.home)
        known = self._state.ports
        ports = {"front": self._front_port() or known.get("front") or net.free_port()}
        for name in _FORWARDED:
            ports[name] = ports.get(name) or known.get(name) or net.free_port()
        self._state = self.home.save(self._state, target=self.name, ports=ports)
        marks = self._marks(self._choice)
        self._begin(marks, resume=self._remembers(marks) and self._running())
        self._rendered = None

    def _running(self) -> bool:
        return any(pod for pod in pods.fetch(self._cluster).pods)

    # Steps of the plan

    def _own_steps(self) -> dict[str, Callable[[], str]]:
        first = self._start_postgres if self._has_postgres else self._start_redis
        return {self.lineup.table[0].step_name: first, CADDY.step_name: self._open_front}

    @property
    def _has_postgres(self) -> bool:
        return POSTGRES in self.lineup.table

    def _make_secrets(self) -> str:
        done = super()._make_secrets()
        self._rendered = None
        if self._has_postgres and POSTGRES.name not in self._manifests().pods():
            self._state = self.home.save(self._state, ports={**self._state.ports, "postgres": PostgresPort.EXTERNAL})
        return done

    def _make_images(self) -> str:
        recipe = self._recipe()
        return images.provide(recipe) if recipe.choice.overlay == LOCAL else "images of the overlay"

    def _apply(self, documents: list[Document], component: str | None = None) -> None:
        if documents:
            self._cluster.output("apply", "--filename=-", stdin=kustomize.dump(documents), component=component)

    def _start_redis(self) -> str:
        """Start Redis as the first component, on the baseline."""
        self._apply(rendering.prerequisites(self._manifests()))
        return self._bring_up(REDIS.name)

    def _start_postgres(self) -> str:
        self._apply(rendering.prerequisites(self._manifests()))
        if self._state.ports["postgres"] == PostgresPort.EXTERNAL:
            return "external"
        return self._bring_up(POSTGRES.name)

    def _bring_up(self, *names: str) -> str:
        left = pods.broken(self._cluster, *names)
        documents = rendering.workloads(self._manifests(), *names)
        try:
            self._apply(documents, names[0])
        except StepError as error:
            if _IMMUTABLE not in str(error):
                raise
            # Recreate the StatefulSet, but keep its pod and claim.
            self._cluster.output("delete", "statefulset", *names, "--cascade=orphan", component=names[0])
            self._apply(documents, names[0])
        if left:
            # Failed pods of an earlier attempt would retry only after minutes, and fail this attempt.
            self._cluster.output("delete", "pod", *left, "--ignore-not-found", "--wait=false", component=names[0])
        # With an autoscaler, the manifests set no number of pods, so a stopped workload would stay stopped.
        self._scale_up(*names)
        with causes.named(self.log_tail):
            pods.wait_ready(self._cluster, *names)
        return "ready"

    def _migrate(self, name: str, back_to: str = "") -> str:
        """Wait for one container of the migration Job. The first step starts the Job, the last waits for its end."""
        step = migration_step(name)
        if back_to:
            job = migration.back(self._manifests().documents, name, back_to)
            self._cluster.output("delete", "job", migration.BACK, "--ignore-not-found", "--wait=true")
            self._apply([job], step)
            with causes.named(self.log_tail):
                migration.wait_for_end(self._cluster, migration.BACK)
            return f"at {back_to}"
        if name == MIGRATING[0]:
            # A Job cannot be changed, only replaced.
            self._cluster.output("delete", "job", migration.JOB, "--ignore-not-found", "--wait=true")
            self._apply(rendering.workloads(self._manifests(), migration.JOB), step)
        with causes.named(self.log_tail):
            migration.wait_for_container(self._cluster, step)
            if name == MIGRATING[-1]:
                migration.wait_for_end(self._cluster)
        return "at head"

    def _open_front(self) -> str:
        result = self._bring_up(CADDY.name)
        others = [one for one in self._manifests().of(*rendering.WORKLOADS) if one["kind"] != "Job"]
        self._apply(others)
        ports = self._state.ports
        wanted = {name: (name, ports[name], PORTS[name].number) for name in _FORWARDED}
        if ports["postgres"] == PostgresPort.EXTERNAL or not self._has_postgres:
            del wanted["postgres"]
        else:
            host = self._database_settings()["PLUMBLINE_POSTGRES_HOST"]
            wanted["postgres"] = (host, *wanted["postgres"][1:])
        self._forwards.apply(wanted)
        for name in wanted:
            self._forwards.restart(name, self._probe(name))
        return f"{result}, forwarded to port {ports['front']}"

    def _probe(self, name: str) -> Callable[[], str | None]:
        probes: dict[str, Callable[[], str | None]] = {
            "front": partial(forwards.probe_front, self._state.ports["front"]),
            "postgres": partial(forwards.probe_postgres, self._postgres_address()),
            "redis": lambda: self.stack().redis.problem(_PROBE_S),
        }
        return probes[name]

    # Operation

    def deliver_secrets(self) -> None:
        """Write the secrets to those in the cluster, and wait until every pod that mounts one sees it."""
        delivery.deliver(self._cluster, self.home.secrets)

    def set_redis_passwords(self, rule: RedisRule, digest: str) -> None:
        """Let Redis accept the password with this SHA-256, too, or only that one."""
        delivery.set_redis_passwords(self._cluster, rule, digest)

    def start(self, *components: str) -> None:
        """Start components with their former number of pods, and wait until each is ready and reachable from here."""
        snapshot = pods.fetch(self._cluster)
        for name in components:
            self._workload(snapshot, name)
        self._scale_up(*components)
        pods.wait_ready(self._cluster, *components)
        for forward, spec in _FORWARDED.items():
            if spec.name in components:
                self._forwards.restart(forward, self._probe(forward))

    def _scale_up(self, *components: str) -> None:
        snapshot = pods.fetch(self._cluster)
        for workload in [snapshot.workloads[name] for name in components if name in snapshot.workloads]:
            if workload["spec"].get("replicas", 1) == 0:
                self._scale(workload, int(workload["metadata"].get("annotations", {}).get(_REPLICAS, "1")))

    def stop(self, *components: str) -> None:
        """Scale components to no pods, and wait until the pods have ended."""
        snapshot = pods.fetch(self._cluster)
        for name in components:
            workload = self._workload(snapshot, name)
            replicas = workload["spec"].get("replicas", 1)
            if replicas:
                self._cluster.output(
                    "annotate", "--overwrite", _name(workload), f"{_REPLICAS}={replicas}", component=name
                )
                self._scale(workload, 0)
        pods.wait_gone(self._cluster, *components)

    def _stop_for_good(self, *names: str) -> None:
        there = pods.fetch(self._cluster).workloads
        self.stop(*(name for name in names if name in there))
        self._cluster.output("delete", "job", migration.JOB, "--ignore-not-found", "--wait=true")
        if POSTGRES.name in names:
            backups.remove(self._cluster)
        if BASELINE.name in names:
            self._cluster.output("delete", "deployment", BASELINE.name, "--ignore-not-found", "--wait=true")

    def _delete_database(self) -> None:
        if self._state.ports.get("postgres") == PostgresPort.EXTERNAL:
            raise PlumblineError("the data of an external Postgres is not dropped from here: do that where it runs")
        self._cluster.output("delete", "pvc", f"--selector={COMPONENT}={POSTGRES.name}", "--wait=true")

    def _workload(self, snapshot: pods.Snapshot, name: str) -> dict[str, Document]:
        workload = snapshot.workloads.get(name)
        if workload is None:
            raise StepError(f"{name} cannot be stopped or started here: an operator, or another party, runs it")
        return workload

    def _scale(self, workload: dict[str, Document], replicas: int) -> None:
        self._cluster.output("scale", _name(workload), f"--replicas={replicas}")

    def kill(self, component: str) -> None:
        """Kill all processes of a component's pods; the kubelet restarts their containers."""
        command = _KILL_INIT if SPECS[component].is_init else _KILL_ALL
        for pod in pods.fetch(self._cluster).of(component):
            self._cluster.run("exec", pod["metadata"]["name"], f"--container={component}", "--", "sh", "-c", command)

    def down(self) -> list[str]:
        """Stop all pods in reverse order. Keeps claims and their data."""
        running: list[str] = []
        if self._choice is not None:
            self._forwards.end()
            with _as_plumbline_error():
                snapshot = pods.fetch(self._cluster)
                running = [name for name in SPECS if snapshot.of(name)]
                self._cluster.output("delete", "job", migration.JOB, "--ignore-not-found", "--wait=true")
                backups.remove(self._cluster)  # the next `up` makes it again
                for name in reversed([name for name in SPECS if name in snapshot.workloads]):
                    self.stop(name)
        if self.home.exists:
            self._state = self.home.save_down(self._state)
        return running

    def remove(self) -> list[str]:
        """Delete the namespace with its contents, the images and the home."""
        if self._choice is not None:
            recipe, cluster = self._recipe(), self._cluster
            self._forwards.end()
            with _as_plumbline_error():
                if not cluster_preflight.not_ours(cluster, recipe):
                    cluster.output("delete", "namespace", recipe.namespace, "--ignore-not-found", "--wait=true")
                images.remove(recipe)
        return self.home.remove()

    def kill_process(self, process: Process) -> None:
        """Kill one process."""
        container, command = f"--container={process.component}", f"kill -9 {process.pid}"
        self._cluster.run("exec", process.place, container, "--", "sh", "-c", command)

    def inside(self) -> Inside:
        """Return the processes and listeners in the pods."""
        return pods.inside(self._cluster)

    def schedule_backups(self, every: str, keep: int) -> str:
        """Let the cluster make a backup regularly, verify it and keep so many. Return what was done."""
        if every == NEVER:
            with _as_plumbline_error():
                backups.remove(self._cluster)
            self._state, self._rendered = self.home.save(self._state, backups={}), None
            return f"No backups are made regularly in {self._cluster.namespace}. The archives are kept on its claim."
        backups.cron(every)
        backups.require_own_postgres(self._manifests())
        if not self.unchanged():
            raise PlumblineError("the stack is not deployed as this checkout has it", hint="./deploy-local.sh")
        self._state, self._rendered = self.home.save(self._state, backups={"every": every, "keep": keep}), None
        with _as_plumbline_error():
            self._apply(rendering.prerequisites(self._manifests()))
        return (
            f"The CronJob backup in {self._cluster.namespace} makes and verifies a backup every {every}, "
            f"and keeps {keep} of them on its claim.\n"
            "To copy the newest to this machine: ./deploy-local.sh backup fetch"
        )

    def scheduled_backup(self) -> datetime | None:
        """Return when the cluster last made a backup and verified it."""
        return backups.newest(self._cluster) if self._choice and self._state.backups else None

    def fetch_backup(self, place: Path) -> str:
        """Copy the newest backup that the cluster made to a file; return its name there. Raises PlumblineError."""
        with _as_plumbline_error():
            return backups.fetch(self._cluster, place)

    @contextmanager
    def throwaway_postgres(self, script: str, *arguments: str) -> Iterator[list[str]]:
        """Yield the command line that runs a bash script with a new, empty Postgres in Postgres's pod."""
        yield postgres_pod.throwaway_command(self._cluster, self._manifests(), script, arguments)

    def postgres_script(self, script: str, *arguments: str) -> list[str]:
        """Return the command line that runs a bash script in Postgres's pod."""
        return postgres_pod.script_command(self._cluster, self._manifests(), script, arguments)

    def execute(self, component: str, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run another command of a component's program, inside of one of its pods."""
        return pods.execute(self._cluster, component, *arguments, stdin=stdin)

    def log_tail(self, component: str, lines: int) -> list[str]:
        """Return the last lines of a component's pods, of a migration, or of the build."""
        return diagnosis.log_tail(self.home, self._cluster, component, lines) if self._choice else []

    def describe(self) -> dict[str, str]:
        """Return file name to text for a diagnostics bundle."""
        if self._choice is None:
            return {}
        files = diagnosis.describe(self.home, self._cluster)
        try:
            files["manifests.yaml"] = kustomize.dump(
                one for one in self._recipe().documents(real_secrets=False) if one["kind"] != "Secret"
            )
        except PlumblineError as error:
            files["manifests.yaml"] = f"# {error}"
        return files


@contextmanager
def _as_plumbline_error() -> Iterator[None]:
    """Turn a StepError into a PlumblineError, because outside a deployment there is no step to report."""
    try:
        yield
    except StepError as error:
        raise PlumblineError(
            str(error), error.hint or "check that the cluster answers: ./deploy-local.sh doctor"
        ) from None


def _name(workload: dict[str, Document]) -> str:
    return f"{str(workload['kind']).lower()}/{workload['metadata']['name']}"
