"""What a stack of local processes consists of, as its supervisor and the machine report it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import psutil

from plumbline import fingerprint, home_files
from plumbline.components import CADDY, POSTGRES, SPECS
from plumbline.home import Home
from plumbline.stack import Component, Stack
from plumbline.targets.embedded import accounts, condition, leftovers, liveness, postgres
from plumbline.targets.embedded.programs import Layout
from plumbline.targets.embedded.supervisor import Supervisor
from plumbline.targets.in_a_home import TargetInAHome

_LINE_BYTES = 1024
"""So many bytes are read for each line of a log: most lines are shorter."""


class StackHere(TargetInAHome):
    """The state of the stack of one home: its programs, its components and their logs."""

    def __init__(self, home: Home, front_port: int | None = None) -> None:
        super().__init__(home, front_port)
        self._supervisor = Supervisor(home)

    def _layout(self) -> Layout:
        state = self._state
        return Layout(
            self.home, state.ports, state.stack_id, self._applied, self._marks_of_secrets, self.lineup, self._https
        )

    @cached_property
    def _cluster(self) -> postgres.Cluster:
        account = accounts.for_postgres()
        binaries, data = postgres.place(self.home.root, account, self.home.data / "postgres")
        return postgres.Cluster(binaries, data, account, self._state.ports["postgres"])

    def _programs_mark(self, ports: dict[str, int]) -> str:
        # Without settings and front port, which may change during the life of a deployment.
        programs = Layout(self.home, {**ports, "front": 0}, "", lineup=self.lineup).programs(self._cluster)
        # As the supervisor is told, so that a change of how it runs programs is deployed, too.
        return fingerprint.of_programs(one.section(self.home.logs, place) for place, one in enumerate(programs))

    def component(self, name: str) -> Component:
        """Return the state of one component."""
        return self._supervisor.component(name)

    def stack(self) -> Stack:
        """Return the stack as it is now."""
        ports = self._state.ports
        return self._stack(
            self._front(),
            self._postgres_at("127.0.0.1", ports.get("postgres", 0)),
            f"127.0.0.1:{ports.get('redis', 0)}",
            self._with_supervisor() if self._supervisor.alive() else self._without_supervisor(),
        )

    def _with_supervisor(self) -> Iterator[Component]:
        """Return the supervisor's state of each component, with problems that it cannot see."""
        found = {name: self.component(name) for name in self.lineup.components}
        checks = liveness.checks(self.home, self._state.ports, self.lineup.table)
        running = {name: (check, pid) for name, check in checks.items() if (pid := found[name].pid)}
        silent = liveness.all_hanging(running, condition.ANSWER_S)
        strays = self._left_behind(self._supervisor.pid())
        for name, component in found.items():
            yield condition.judged(component, strays.get(name, ()), self._supervisor.ends(name), silent.get(name))

    def _left_behind(self, supervisor_pid: int | None) -> dict[str, list[int]]:
        """Return each component's processes that are not under this supervisor."""
        places = {self._layout().directory(name).resolve(): name for name in SPECS}
        for data in (self.home.data / "postgres", postgres.private_place(self.home.root) / "postgres"):
            places[data.resolve()] = POSTGRES.name
        behind: dict[str, list[int]] = {}
        for process in leftovers.find([*places], supervisor_pid):
            with contextlib.suppress(psutil.Error, OSError):
                behind.setdefault(places[Path(process.cwd())], []).append(process.pid)
        return behind

    def _without_supervisor(self) -> tuple[Component, ...]:
        """Return the components while no supervisor answers: stopped, unless processes are left over."""
        behind, hung = self._left_behind(None), self._supervisor.hung_pid()
        words = f"its supervisor, pid {hung}, does not answer" if hung else "its supervisor is gone"
        return tuple(
            Component(
                name, "failed", None, behind[name][0], self._log_file(name),
                f"{words}, pid {behind[name][0]} still runs: ./deploy-local.sh ends it and starts it again",
            )
            if name in behind
            else Component(name, "stopped", log_file=self._log_file(name))
            for name in self.lineup.components
        )  # fmt: skip

    def _log_file(self, name: str) -> str:
        return str(self.home.logs / f"{name}.log")

    def _ca_file(self) -> Path:
        return self._layout().directory(CADDY.name) / "caddy" / "pki" / "authorities" / "local" / "root.crt"

    def log_tail(self, component: str, lines: int) -> list[str]:
        """Return the last lines of a component's log."""
        path = self.home.logs / f"{component}.log"
        found = _last_lines(path, lines)
        if len(found) < lines:  # it may have been rotated just now
            found = [*_last_lines(path.with_name(f"{path.name}.1"), lines), *found]
        return found[-lines:]

    def describe(self) -> dict[str, str]:
        """Return file name to text for a diagnostics bundle."""
        files = {
            f"logs/{path.name}": "\n".join(self.log_tail(path.stem, 2000)) for path in home_files.logs(self.home.logs)
        }
        config = self.home.run / "supervisord.conf"
        if config.exists():
            files["supervisord.conf"] = config.read_text()
        return files


def _last_lines(path: Path, lines: int) -> list[str]:
    """Return the last lines of a file, none if it cannot be read."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - lines * _LINE_BYTES))
        return file.read().decode("utf-8", "replace").splitlines()[-lines:]
    return []
