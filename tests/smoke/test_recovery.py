"""What is killed comes back by itself: a server process, and every component at the same time.

Protects from a component that stays down after a crash, and from requests that fail because Postgres had one.
"""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
import requests

from plumbline import identity
from plumbline.components import BACKEND, COMPONENTS, DATA_PROCESSOR
from plumbline.errors import NotGivenError
from plumbline.patience import Patience
from plumbline.stack import Component, Stack
from plumbline.targets.base import Target
from plumbline.verification.checks import asked, findings, processes, rows
from plumbline.verification.checks.client import TIMEOUT_S, User

STARTED_AGAIN_S = 30.0
"""How long the same may be missing."""
SETTLED = 8
"""So many looks in a row reach every server process."""
ASKED = {BACKEND.name: "/channels/", DATA_PROCESSOR.name: "/data-processor/templates/"}
MANY = 24
ENOUGH = 8
"""Connections of all processes: with two or three of them, one has several. A pool pauses after its second bad one."""
LOCKED_S = 2.0
"""Shorter than statements may take."""
MORE_THAN_A_PIPE = 400
"""Requests whose lines in Caddy's log have more bytes together than a pipe takes, which is 64 KiB."""
STALLED_S = 5.0
WAITING = """
    SELECT application_name AS name, count(*) FROM pg_stat_activity
    WHERE application_name = ANY (%(services)s) AND wait_event_type = 'Lock' GROUP BY 1
"""
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
    headers = {"Authorization": f"Bearer {alice.token}"}

    def ask(path: str) -> int:
        return requests.get(stack.base_url + path, headers=headers, timeout=TIMEOUT_S).status_code

    def too_few() -> list[str]:
        """While the tables are locked, a process opens a connection for each request."""
        with (
            rows.connect(stack) as database,
            ThreadPoolExecutor(MANY * len(ASKED)) as crowd,
            psycopg.connect(**stack.postgres.parameters()) as holder,
        ):
            holder.execute("LOCK TABLE channels, templates")
            for path in MANY * list(ASKED.values()):
                crowd.submit(ask, path)
            return _services_with_few_waiting(database)

    findings.require_none_soon(
        too_few, STARTED_AGAIN_S, about="the services do not open several connections", then=THEN
    )
    with rows.connect(stack) as database:
        database.execute(CLOSE_IDLE, {"services": list(ASKED)})
    # These wait least for a connection.
    paths = (BACKEND.health_path, DATA_PROCESSOR.health_path)
    answers = {f"{path}: {status}" for path in paths for _ in range(MANY) if (status := ask(path)) != 200}
    assert not answers, f"a request got a connection that Postgres had closed: {answers}"


def _services_with_few_waiting(database: psycopg.Connection[dict[str, Any]]) -> list[str]:
    """Wait until each service has enough connections that wait for the lock; name those that do not get there."""
    patience = Patience(LOCKED_S, LOCKED_S)
    while True:
        waiting = {row["name"]: row["count"] for row in database.execute(WAITING, {"services": list(ASKED)})}
        few = [f"{one}: {waiting.get(one, 0)}, expected {ENOUGH}" for one in ASKED if waiting.get(one, 0) < ENOUGH]
        if not few or patience.is_over():
            return few
        time.sleep(0.05)


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


def test_a_supervisor_that_stands_still_stops_no_request(target: Target, stack: Stack) -> None:
    """Each request is a line of Caddy's log: a pipe to the supervisor would soon be full."""
    found = [one for one in target.inside().processes if "supervisor.supervisord" in one.command]
    if not found:
        raise NotGivenError("needs a stack of local processes (--target embedded)")
    (supervisor,) = found
    url, answered, failed = stack.base_url + BACKEND.health_path, 0, ""
    os.kill(supervisor.pid, signal.SIGSTOP)
    try:
        with requests.Session() as http:
            while answered < MORE_THAN_A_PIPE and not failed:
                try:
                    http.get(url, timeout=STALLED_S)
                    answered += 1
                except requests.RequestException as error:
                    failed = type(error).__name__
    finally:
        os.kill(supervisor.pid, signal.SIGCONT)
    findings.require_none(
        [f"caddy: request {answered + 1} got no answer within {STALLED_S:g} s ({failed})"] if failed else [],
        about="requests wait for a supervisor that stands still",
        then="plumbline/targets/embedded/launch.py",
    )
