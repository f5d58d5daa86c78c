"""What a stack in a cluster consists of, and how it is reached from this machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from plumbline.components import BACKEND, CADDY, POSTGRES, REDIS
from plumbline.errors import PlumblineError, StepError
from plumbline.home import Home
from plumbline.settings.resolve import Wanted
from plumbline.stack import Component, PostgresAddress, Stack
from plumbline.targets.in_a_home import TargetInAHome
from plumbline.targets.kubernetes import contexts, forwards, pods, rendering
from plumbline.targets.kubernetes.contexts import Choice
from plumbline.targets.kubernetes.forwards import Forwards, PostgresPort
from plumbline.targets.kubernetes.kubectl import Cluster
from plumbline.targets.kubernetes.model import Manifests
from plumbline.targets.kubernetes.rendering import Recipe

FORWARDED = {"front": CADDY, "postgres": POSTGRES, "redis": REDIS}
"""Name of a forward to the component that it leads to."""
_PROBE_S = 2


class StackInACluster(TargetInAHome):
    """The state of the stack of one home: its recipe, its components and its addresses."""

    def __init__(self, home: Home, front_port: int | None = None) -> None:
        super().__init__(home, front_port)
        self._choice = contexts.remembered(home)
        self._rendered: Manifests | None = None

    def _setting_defaults(self) -> Mapping[str, Mapping[str, str]]:
        return rendering.setting_defaults()

    def _recipe(self, choice: Choice | None = None, stack_id: str | None = None, told: Wanted | None = None) -> Recipe:
        choice = choice or self._choice
        if choice is None:
            raise PlumblineError("this stack was never deployed to a cluster", hint="./deploy-local.sh up")
        mark = rendering.mark_of(self.home)
        identity = self._state.stack_id if stack_id is None else stack_id
        settings = self._applied if told is None else told
        # Deployments are compared by a neutral rendering, without settings and schedule.
        regular = self._state.backups if told is None else {}
        return Recipe(self.home, choice, mark, identity or "none", settings, self.lineup, regular)

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

    @property
    def _has_postgres(self) -> bool:
        return POSTGRES in self.lineup.table

    def _probe(self, name: str) -> Callable[[], str | None]:
        probes: dict[str, Callable[[], str | None]] = {
            "front": partial(forwards.probe_front, self._state.ports["front"]),
            "postgres": partial(forwards.probe_postgres, self._postgres_address()),
            "redis": lambda: self.stack().redis.problem(_PROBE_S),
        }
        return probes[name]
