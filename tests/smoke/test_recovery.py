"""What is killed comes back by itself: a server process, and every component at the same time.

Protects from a component that stays down after a crash, and from requests that fail because Postgres had one.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from plumbline import identity
from plumbline.components import BACKEND, COMPONENTS, DATA_PROCESSOR
from plumbline.stack import Component, Stack
from plumbline.targets.base import Target
from plumbline.verification.checks import asked, findings, processes, rows
from plumbline.verification.checks.client import TIMEOUT_S, User

STARTED_AGAIN_S = 30.0
"""How long the same may be missing."""
SETTLED = 8
"""So many looks in a row reach every server process."""
MANY = 24
CLOSE_IDLE = """
    SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity
    WHERE application_name = ANY (%(services)s) AND state = 'idle' AND query NOT LIKE 'LISTEN%%'
"""
THEN = "./deploy-local.sh doctor; logs/supervisord.log, or the engine's events, say what was started again"

pytestmark = pytest.mark.disrupt


def test_a_killed_server_process_is_replaced(target: Target, stack: Stack) -> None:
    settings = asked.settings(stack)
    killed = processes.one_server_of_each(target.inside())
    assert {one.component for one in killed} == {*processes.WORKERS}
    for one in killed:
        target.kill_process(one)

    def missing() -> list[str]:
        inside = target.inside()
        left = [one for one in killed if one in inside.processes]
        return [
            *(f"{one.component}: process {one.pid} was killed; expected it to be gone" for one in left),
            *processes.numbers(inside, settings),
        ]

    findings.require_none_soon(
        missing, STARTED_AGAIN_S, about="a server process that was killed is not replaced", then=THEN
    )


def test_connections_that_postgres_closed_cost_no_request(stack: Stack, alice: User) -> None:
    """As after a restart of Postgres, when each server process still has connections of before."""

    def ask(path: str) -> int:
        return requests.get(stack.base_url + path, timeout=TIMEOUT_S).status_code

    paths = [path for path in (BACKEND.health_path, DATA_PROCESSOR.health_path) for _ in range(MANY)]
    alice.get("/auth/me").expect(200)
    with ThreadPoolExecutor(MANY) as crowd:
        # Many at once, so that each process has several connections.
        findings.require_none_soon(
            lambda: [f"answered {status}" for status in crowd.map(ask, paths) if status != 200],
            STARTED_AGAIN_S,
            about="the services are not healthy",
            then=THEN,
        )
    with rows.connect(stack) as database:
        database.execute(CLOSE_IDLE, {"services": [BACKEND.name, DATA_PROCESSOR.name]})
    answers = {f"{path}: {status}" for path in paths if (status := ask(path)) != 200}
    assert not answers, f"a request got a connection that Postgres had closed: {answers}"
    alice.get("/auth/me").expect(200)


def test_killed_components_come_back(target: Target, stack: Stack) -> None:
    settings = asked.settings(stack)
    before = {name: target.component(name) for name in COMPONENTS}
    for name in COMPONENTS:
        target.kill(name)

    def runs_again(one: Component) -> bool:
        # By its process, where the target knows it: one that has ended several times of late counts as failed, which
        # it has if other checks killed it, too.
        return one.pid != before[one.name].pid if one.pid else one.state not in ("failed", "stopped")

    def not_started() -> list[str]:
        return [
            f"{one.name}: is {one.state} after it was killed; expected it to be started again"
            for one in map(target.component, COMPONENTS)
            if not runs_again(one)
        ]

    def not_ready() -> list[str]:
        now = target.stack()
        return (
            now.problems()
            or identity.compare(now.base_url, now.stack_id)
            or [*processes.numbers(target.inside(), settings)]
        )

    about = "a component that was killed does not come back"
    findings.require_none_soon(not_started, STARTED_AGAIN_S, about=about, then=THEN)
    # The next check must find a whole stack: no server process is still starting, or ends again.
    findings.require_none_soon(not_ready, findings.WHOLE_AGAIN_S, about=about, then=THEN, in_a_row=SETTLED)
