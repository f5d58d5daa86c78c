"""The containers of a project, as the engine reports them and as components of a stack."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from plumbline.components import PORTS
from plumbline.errors import StepError
from plumbline.inside import CONTAINER_PORTS, SCRIPT, Inside, Listener, read
from plumbline.patience import Patience, work_of
from plumbline.stack import Component, ComponentState
from plumbline.targets.compose import engine
from plumbline.targets.compose.project import Project

READY_PATIENCE_S = 180
"""How long a container may give the same reason while it starts. The wait stops at once if it ends."""
READY_MOST_S = 600
_CHECK_S = 30
_WORK_S = 2.0
"""CPU time that counts as progress. Health checks, and a process that only waits, take less in that time."""
_POLL_S = 0.25
_EVERYWHERE = ("", "0.0.0.0", "::")  # noqa: S104  compared with, not bound to
_RESTARTS_MAX = 3
_WORDS_MAX = 160
_SETTLED = timedelta(minutes=1)
"""Age from which a container that restarted often is taken to be stable."""
_STOPPED_BY_USER = (0, 130, 137, 143)
"""Exit codes of a container that was stopped or killed by a command."""


@dataclass(frozen=True, slots=True)
class Container:
    """One container. `address` is on the stack's own network, "" while it does not run.

    `published` is its address on this machine, as `host:port`; "" if none.
    """

    id: str
    service: str
    status: str
    health: str
    exit_code: int
    restarts: int
    pid: int
    started_at: str
    finished_at: str
    image: str
    address: str
    health_command: tuple[str, ...]
    published: str = ""
    health_words: str = ""
    bindings: tuple[tuple[str, str, int], ...] = ()
    """Protocol, address and number of each port of this machine that is forwarded to it."""

    def component(self) -> Component:
        """Return the component that this container is."""
        state: ComponentState
        detail = ""
        if self.status == "running":
            state, detail = self._running()
        elif self.status == "restarting":
            state, detail = "failed", f"it ended {self.restarts + 1} times, last with exit status {self.exit_code}"
        elif self.status == "exited" and self.exit_code in _STOPPED_BY_USER:
            state = "stopped"
        elif self.status in ("created", "paused", "removing"):
            state, detail = "stopped", self.status
        else:
            state, detail = "failed", f"exit status {self.exit_code}"
        since = self.started_at if state == "running" else self.finished_at
        known = since if not since.startswith("0001") else ""
        return Component(self.service, state, f"{known[:19]}+00:00" if known else None, self.pid or None, None, detail)

    def _running(self) -> tuple[ComponentState, str]:
        if self.health == "unhealthy":
            return "failed", f"unhealthy: {self.health_words or 'its health check gets no answer'}"
        began = datetime.fromisoformat(f"{self.started_at[:19]}+00:00") if self.started_at else datetime.now(UTC)
        if self.restarts >= _RESTARTS_MAX and datetime.now(UTC) - began < _SETTLED:
            return "failed", f"it was started again {self.restarts} times, last just now"
        return "running", ""


def _read(raw: dict[str, Any]) -> Container:
    state = raw["State"]
    networks: dict[str, Any] = raw["NetworkSettings"]["Networks"]
    test = (raw["Config"].get("Healthcheck") or {}).get("Test") or []
    return Container(
        id=raw["Id"],
        service=raw["Config"]["Labels"]["com.docker.compose.service"],
        status=state["Status"],
        health=(state.get("Health") or {}).get("Status", ""),
        health_words=_last_words((state.get("Health") or {}).get("Log") or []),
        exit_code=state["ExitCode"],
        restarts=raw["RestartCount"],
        pid=state["Pid"],
        started_at=state["StartedAt"],
        finished_at=state["FinishedAt"],
        image=raw["Image"],
        address=next((one["IPAddress"] for name, one in networks.items() if name.endswith("_inside")), ""),
        health_command=("sh", "-c", *test[1:]) if test[:1] == ["CMD-SHELL"] else tuple(test[1:]),
        published=_published(raw["HostConfig"].get("PortBindings") or {}),
        bindings=tuple(
            (inner.partition("/")[2], one["HostIp"], int(one["HostPort"]))
            for inner, outer in (raw["NetworkSettings"].get("Ports") or {}).items()
            for one in outer or []
        ),
    )


def _last_words(checks: list[dict[str, Any]]) -> str:
    """Return the output of the last health check."""
    words = " ".join(str(checks[-1].get("Output", "")).split()) if checks else ""
    return words if len(words) <= _WORDS_MAX else f"{words[:_WORDS_MAX]}…"


def _published(bindings: dict[str, list[dict[str, str]]]) -> str:
    for binding in bindings.get(f"{PORTS['front'].number}/tcp") or []:
        host = binding["HostIp"]
        if host in _EVERYWHERE:
            host = "127.0.0.1"
        return f"[{host}]:{binding['HostPort']}" if ":" in host else f"{host}:{binding['HostPort']}"
    return ""


def all_of(project: Project) -> dict[str, Container]:
    """Return a project's containers by service, without services that have none."""
    found = (_read(raw) for raw in engine.inspect(project.labelled("container")))
    return {container.service: container for container in found}


def one_of(project: Project, service: str) -> Container:
    """Return the container of a service. Raises StepError if there is none."""
    try:
        return all_of(project)[service]
    except KeyError:
        raise StepError(
            f"{service} has no container", component=service, hint="./deploy-local.sh creates what is missing"
        ) from None


def wait_ready(project: Project, *services: str) -> dict[str, Container]:
    """Wait until each service's health check passes and return their containers. Raises StepError.

    The wait ends at once if one of the containers ends. The check is also run here, because the engine runs it only
    every few seconds.
    """
    patience = {service: Patience(READY_PATIENCE_S, READY_MOST_S) for service in services}
    first = {service: one_of(project, service) for service in services}
    seen = dict(first)
    ready: dict[str, Container] = {}
    while True:
        for service in services:
            if service in ready:
                continue
            reason = _unready(seen[service], first[service])
            if reason is None:
                ready[service] = seen[service]
            elif patience[service].is_over(partial(_progress, seen[service], reason)):
                raise StepError(f"{service} was not ready after {patience[service]}: {reason}", component=service)
        if len(ready) == len(first):
            return ready
        time.sleep(_POLL_S)
        seen = {one.service: one for one in map(_read, engine.inspect([one.id for one in first.values()]))}
        for service in services:
            if service not in seen:
                raise StepError(f"the container of {service} was removed before it was ready", component=service)


def _progress(container: Container, reason: str) -> tuple[str, str, int]:
    # The processes of an engine on another machine, or in a virtual one, are not seen here.
    return container.health, reason, int(work_of(container.pid) / _WORK_S)


def _unready(container: Container, first: Container) -> str | None:
    """Return why a container is not ready, None if it is. Raises StepError if it ended after it was `first` seen."""
    service = container.service
    if container.status in ("exited", "dead", "restarting") or container.restarts > first.restarts:
        raise StepError(
            f"{service} ended before it was ready",
            component=service,
            exit_code=_last_exit_code(container),
        )
    if container.status != "running":
        return f"its container is {container.status}"
    try:
        check = engine.docker("exec", container.id, *container.health_command, timeout=_CHECK_S)
    except StepError:
        return f"its health check did not end within {_CHECK_S} s"
    if check.returncode != 0:
        return engine.last_words(check.stderr or check.stdout, 2)
    if container.health == "unhealthy":
        # `status` shows the engine's last result. The engine checks again within seconds.
        return "it answers, but the engine has not repeated its failed health check yet"
    return None


def _last_exit_code(container: Container) -> int:
    """Return the exit code with which a container last ended, which its state no longer holds after a restart."""
    if container.status != "running":
        return container.exit_code
    # With nanoseconds: the engine rounds a bound in seconds down, and would leave out the last event.
    done = engine.docker(
        "events", "--since", "10m", "--until", f"{time.time():.9f}",
        "--filter", f"container={container.id}", "--filter", "event=die",
        "--format", "{{.Actor.Attributes.exitCode}}",
    )  # fmt: skip
    codes = [int(code) for code in done.stdout.split() if code.isdecimal()]
    return codes[-1] if codes else container.exit_code


def inside(project: Project) -> Inside:
    """Return the processes and listeners of the containers, and the ports that this machine publishes."""
    running = [one for one in all_of(project).values() if one.status == "running"]
    with ThreadPoolExecutor(max(1, len(running))) as pool:
        said = pool.map(lambda one: engine.output("exec", one.id, "sh", "-c", SCRIPT, component=one.service), running)
        found = [read(one.service, one.id[:12], text) for one, text in zip(running, said, strict=True)]
    published = {
        Listener(one.service, "udp" if protocol == "udp" else "tcp", address, port)
        for one in running
        for protocol, address, port in one.bindings
    }
    return Inside(
        tuple(process for processes, _, _ in found for process in processes),
        frozenset(listener for _, listeners, _ in found for listener in listeners),
        CONTAINER_PORTS, True, frozenset(published), secrets_shared=True,
        texts={name: lines for _, _, texts in found for name, lines in texts.items()},
    )  # fmt: skip


def log_tail(container: Container, lines: int) -> list[str]:
    """Return the last lines of a container's output and error streams, in the order of the engine's timestamps."""
    done = engine.docker("logs", "--tail", str(lines), "--timestamps", container.id)
    both = sorted([*done.stdout.splitlines(), *done.stderr.splitlines()])
    return [line.partition(" ")[2] for line in both][-lines:]
