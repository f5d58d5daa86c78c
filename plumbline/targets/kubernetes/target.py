"""The kubernetes target: runs the stack in a namespace of a cluster."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from plumbline import causes, fingerprint, net, preflight, secret_files
from plumbline.backups.intervals import NEVER
from plumbline.components import (
    BASELINE,
    CADDY,
    PORTS,
    POSTGRES,
    REDIS,
    SPECS,
)
from plumbline.errors import PlumblineError, StepError
from plumbline.inside import Inside, Process
from plumbline.rotation.target import RedisRule
from plumbline.settings.resolve import Wanted
from plumbline.targets.compose import engine
from plumbline.targets.compose.images import INPUTS
from plumbline.targets.kubernetes import (
    backups,
    contexts,
    delivery,
    diagnosis,
    images,
    kubectl,
    kustomize,
    migration,
    pods,
    postgres_pod,
    rendering,
    rollout,
    scaling,
)
from plumbline.targets.kubernetes import preflight as cluster_preflight
from plumbline.targets.kubernetes.contexts import LOCAL, Choice
from plumbline.targets.kubernetes.forwards import PostgresPort
from plumbline.targets.kubernetes.kubectl import Cluster
from plumbline.targets.kubernetes.model import COMPONENT
from plumbline.targets.kubernetes.stack import FORWARDED, StackInACluster

_SOURCES = ("k8s", *INPUTS)
_NO_DOMAIN = "--domain is not for a cluster: an Ingress serves HTTPS there (docs/kubernetes.md), drop the option"


class KubernetesTarget(StackInACluster):
    """One stack in a cluster. See `plumbline.targets.base.Target` for the methods' contracts."""

    name = "kubernetes"
    refused_settings: Mapping[str, str] = {
        "PLUMBLINE_FRONT_HOST": "a cluster's front door is forwarded to 127.0.0.1; an Ingress opens it to others"
    }

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
        for name in FORWARDED:
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

    def _make_secrets(self) -> str:
        done = super()._make_secrets()
        self._rendered = None
        if self._has_postgres and POSTGRES.name not in self._manifests().pods():
            self._state = self.home.save(self._state, ports={**self._state.ports, "postgres": PostgresPort.EXTERNAL})
        return done

    def _make_images(self) -> str:
        recipe = self._recipe()
        return images.provide(recipe) if recipe.choice.overlay == LOCAL else "images of the overlay"

    def _start_redis(self) -> str:
        """Start Redis as the first component, on the baseline."""
        self._apply_prerequisites()
        return self._bring_up(REDIS.name)

    def _start_postgres(self) -> str:
        self._apply_prerequisites()
        if self._state.ports["postgres"] == PostgresPort.EXTERNAL:
            return "external"
        return self._bring_up(POSTGRES.name)

    def _apply_prerequisites(self) -> None:
        rollout.apply(self._cluster, rendering.prerequisites(self._manifests()))

    def _bring_up(self, *names: str) -> str:
        with causes.named(self.log_tail):
            rollout.bring_up(self._cluster, self._manifests(), *names)
        return "ready"

    def _migrate(self, name: str, back_to: str = "") -> str:
        with causes.named(self.log_tail):
            if back_to:
                rollout.migrate_back(self._cluster, self._manifests(), name, back_to)
                return f"at {back_to}"
            rollout.migrate(self._cluster, self._manifests(), name)
        return "at head"

    def _open_front(self) -> str:
        result = self._bring_up(CADDY.name)
        others = [one for one in self._manifests().of(*rendering.WORKLOADS) if one["kind"] != "Job"]
        rollout.apply(self._cluster, others)
        ports = self._state.ports
        wanted = {name: (name, ports[name], PORTS[name].number) for name in FORWARDED}
        if ports["postgres"] == PostgresPort.EXTERNAL or not self._has_postgres:
            del wanted["postgres"]
        else:
            host = self._database_settings()["PLUMBLINE_POSTGRES_HOST"]
            wanted["postgres"] = (host, *wanted["postgres"][1:])
        self._forwards.apply(wanted)
        for name in wanted:
            self._forwards.restart(name, self._probe(name))
        return f"{result}, forwarded to port {ports['front']}"

    # Operation

    def deliver_secrets(self) -> None:
        """Write the secrets to those in the cluster, and wait until every pod that mounts one sees it."""
        delivery.deliver(self._cluster, self.home.secrets)

    def set_redis_passwords(self, rule: RedisRule, digest: str) -> None:
        """Let Redis accept the password with this SHA-256, too, or only that one."""
        delivery.set_redis_passwords(self._cluster, rule, digest)

    def start(self, *components: str) -> None:
        """Start components with their former number of pods, and wait until each is ready and reachable from here."""
        scaling.start(self._cluster, *components)
        for forward, spec in FORWARDED.items():
            if spec.name in components:
                self._forwards.restart(forward, self._probe(forward))

    def stop(self, *components: str) -> None:
        """Scale components to no pods, and wait until the pods have ended."""
        scaling.stop(self._cluster, *components)

    def _stop_for_good(self, *names: str) -> None:
        there = pods.fetch(self._cluster).workloads
        self.stop(*(name for name in names if name in there))
        rollout.delete_job(self._cluster, migration.JOB)
        if POSTGRES.name in names:
            backups.remove(self._cluster)
        if BASELINE.name in names:
            self._cluster.output("delete", "deployment", BASELINE.name, "--ignore-not-found", "--wait=true")

    def _delete_database(self) -> None:
        if self._state.ports.get("postgres") == PostgresPort.EXTERNAL:
            raise PlumblineError("the data of an external Postgres is not dropped from here: do that where it runs")
        self._cluster.output("delete", "pvc", f"--selector={COMPONENT}={POSTGRES.name}", "--wait=true")

    def kill(self, component: str) -> None:
        """Kill all processes of a component's pods; the kubelet restarts their containers."""
        scaling.kill(self._cluster, component)

    def down(self) -> list[str]:
        """Stop all pods in reverse order. Keeps claims and their data."""
        running: list[str] = []
        if self._choice is not None:
            self._forwards.end()
            with _as_plumbline_error():
                snapshot = pods.fetch(self._cluster)
                running = [name for name in SPECS if snapshot.of(name)]
                rollout.delete_job(self._cluster, migration.JOB)
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
                # Without a namespace, and of no consequence to others.
                cluster.run(
                    "delete", "priorityclass", f"--selector={rendering.OURS}={recipe.mark}", "--ignore-not-found"
                )
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
            self._apply_prerequisites()
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
