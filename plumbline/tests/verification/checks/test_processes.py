"""Each way in which a stack's sockets and processes can differ from the declared ones is found, and nothing else."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from plumbline.inside import CONTAINER_PORTS, SCRIPT, Inside, Listener, Process, read
from plumbline.verification.checks import processes

PYTHON = "/venv/bin/python"
SERVE = (PYTHON, "-m", "backend", "serve")
CHILD = (PYTHON, "-m", "data_processor.documents.files.child", "12")
WRITER = "postgres: background writer "
WATCH = (PYTHON, "-m", "plumbline.targets.embedded.watch", "/home")
COMMANDS = {
    "supervisor": [(PYTHON, "-m", "supervisor.supervisord", "-c", "/home/run/supervisord.conf"), WATCH],
    "postgres": [("/bin/postgres", "-D", "/data"), ("postgres: checkpointer ",)],
    "redis": [("/bin/redis-server 127.0.0.1:6379",)],
    "caddy": [("/bin/caddy", "run", "--config", "/Caddyfile", "--adapter", "caddyfile")],
    "backend": [SERVE] * 3,
    "data-processor": [*[(PYTHON, "-m", "data_processor", "serve")] * 3, CHILD],
    "worker": [*[(PYTHON, "-m", "data_processor", "work")] * 3, CHILD],
    "log-sink": [(PYTHON, "-m", "log_sink", "serve")] * 2,
}


def process(
    component: str, *command: str, pid: int = 1234, parent: int = 1, uid: int = 1000, **environment: str
) -> Process:
    told = {"PATH": "/bin", "PLUMBLINE_STACK_ID": "this one"} | environment
    return Process(component, "", pid, parent, uid, command, told)


def family(component: str) -> list[Process]:
    """Return the processes of a component: the first has started all others."""
    first, *others = COMMANDS[component]
    return [
        process(component, *first, pid=10),
        *(process(component, *command, pid=11 + number, parent=10) for number, command in enumerate(others)),
    ]


def listener(name: str, address: str, port: int | None = None) -> Listener:
    component, protocol = processes.SOCKETS[name]
    return Listener(component, "udp" if protocol == "udp" else "tcp", address, port or CONTAINER_PORTS[name])


LOCAL = Inside(
    tuple(one for component in COMMANDS for one in family(component)),
    frozenset(listener(name, "127.0.0.1") for name in processes.SOCKETS),
    CONTAINER_PORTS,
    isolated=False,
)
CONTAINERS = replace(
    LOCAL,
    listeners=frozenset(listener(name, "0.0.0.0") for name in processes.SOCKETS),
    isolated=True,
    published=frozenset({Listener("caddy", "tcp", "127.0.0.1", 60623)}),
)


def found(inside: Inside, settings: dict[str, str] | None = None) -> list[str]:
    told = settings or {}
    return [
        *processes.sockets(inside, told),
        *processes.numbers(inside, told),
        *processes.accounts(inside),
        *processes.environments(inside, "this one", told),
    ]


@pytest.mark.parametrize("inside", [LOCAL, CONTAINERS])
def test_the_declared_state_has_no_findings(inside: Inside) -> None:
    assert found(inside) == []


def with_listener(inside: Inside, *more: Listener) -> Inside:
    return replace(inside, listeners=inside.listeners | {*more})


def with_process(one: Process) -> Inside:
    return replace(LOCAL, processes=(*LOCAL.processes, one))


def without(inside: Inside, component: str, *pids: int) -> Inside:
    return replace(
        inside, processes=tuple(one for one in inside.processes if one.component != component or one.pid not in pids)
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda: with_listener(LOCAL, listener("backend", "0.0.0.0")),
            "backend: its port backend listens on tcp 0.0.0.0:8001; expected the address 127.0.0.1",
        ),
        (
            lambda: with_listener(LOCAL, listener("log-ingest", "::")),
            "log-sink: its port log-ingest listens on udp :::9001; expected the address 127.0.0.1",
        ),
        (
            lambda: with_listener(CONTAINERS, listener("front", "::", 2019)),
            "caddy: listens on tcp :::2019, which is not declared; expected tcp 8080 and tcp 9000",
        ),
        (
            lambda: replace(LOCAL, listeners=LOCAL.listeners - {listener("log-ingest", "127.0.0.1")}),
            "log-sink: nothing listens on its port log-ingest (udp 9001)",
        ),
        (
            lambda: replace(CONTAINERS, published=frozenset({Listener("caddy", "tcp", "0.0.0.0", 8080)})),
            "caddy: this machine publishes it at tcp 0.0.0.0:8080; expected 127.0.0.1",
        ),
        (
            lambda: replace(CONTAINERS, published=frozenset({Listener("postgres", "tcp", "127.0.0.1", 5432)})),
            "postgres: this machine publishes it at tcp 127.0.0.1:5432; expected only caddy to be published",
        ),
        (
            lambda: replace(CONTAINERS, published=CONTAINERS.published | {Listener("caddy", "tcp", "127.0.0.1", 9000)}),
            "caddy: this machine publishes ports [9000, 60623]; expected only that of the front door",
        ),
        (lambda: without(LOCAL, "backend", 12), "backend: expected 2 server processes, found 1"),
        (lambda: with_process(process("backend", *SERVE)), "backend: expected 1 main process, found 2"),
        (lambda: without(LOCAL, "redis", 10), "redis: no process of it runs"),
        (
            lambda: without(LOCAL, "supervisor", 11),
            "supervisor: expected 1 watch, which restarts hanging components, found 0",
        ),
        (lambda: without(LOCAL, "backend", 10, 11, 12), "backend: no process of it runs"),
        (
            lambda: with_process(process("redis", "nc", "-l", "1")),
            "redis: process 1234 is not declared: nc -l 1",
        ),
        (
            lambda: with_process(process("postgres", WRITER, uid=0)),
            "postgres: process 1234 runs as root (uid 0); expected an account without privileges",
        ),
        (
            lambda: replace(
                LOCAL,
                processes=(
                    process("backend", *SERVE, pid=12, parent=10, PLUMBLINE_STACK_ID="old"),
                    *without(LOCAL, "backend", 12).processes,
                ),
            ),
            "backend: process 12 belongs to deployment 'old'; expected that of status, 'this one'",
        ),
        (
            lambda: with_process(process("postgres", WRITER, PLUMBLINE_LOG_LEVEL="debug")),
            "postgres: process 1234 is told PLUMBLINE_LOG_LEVEL=debug; expected only the settings of settings.env",
        ),
        (
            lambda: with_process(process("postgres", WRITER, SSH_AGENT_PID="1")),
            "postgres: process 1234 has SSH_AGENT_PID in its environment; expected no variable of the deployer's shell",
        ),
        (
            lambda: with_process(process("postgres", WRITER, DEBUG="1")),
            "postgres: process 1234 has DEBUG in its environment, which changes how it runs; expected it not to be set",
        ),
        (
            lambda: with_process(process("postgres", WRITER, "--reload")),
            "postgres: process 1234 runs with --reload; expected no debug option",
        ),
    ],
)
def test_every_difference_is_one_finding(change: Callable[[], Inside], said: str) -> None:
    assert found(change()) == [said]


def test_settings_change_what_is_expected() -> None:
    open_door = {"PLUMBLINE_FRONT_HOST": "192.0.2.1", "PLUMBLINE_BACKEND_WORKERS": "1", "PLUMBLINE_WORKERS": "2"}
    elsewhere = LOCAL.listeners - {listener("front", "127.0.0.1")} | {listener("front", "192.0.2.1")}
    assert found(replace(without(LOCAL, "backend", 12), listeners=elsewhere), open_door) == []
    assert found(LOCAL, {"PLUMBLINE_WORKERS": "3"}) == [
        "backend: expected 3 server processes, found 2",
        "data-processor: expected 3 server processes, found 2",
        "worker: expected 3 server processes, found 2",
    ]


def test_root_may_be_the_deployer() -> None:
    as_root = replace(LOCAL, processes=tuple(replace(one, uid=0) for one in LOCAL.processes))
    allowed = frozenset({*COMMANDS} - {"postgres"})
    assert {line.split(":")[0] for line in processes.accounts(replace(as_root, may_be_root=allowed))} == {"postgres"}


def test_the_output_of_a_container_is_parsed() -> None:
    said = """\
process 1 0 999 L3NiaW4vZG9ja2VyLWluaXQA UEdEQVRBPS9kYXRhAA==
process 7 1 999 cmVkaXMtc2VydmVyICo6NjM3OQA= -
process 80 0 999 c2gA -
process 81 80 999 c2xlZXAA -
tcp sl  local_address rem_address   st tx_queue
tcp 0: 00000000:18EB 00000000:0000 0A 00000000:00000000
tcp 1: 0B00007F:8A21 00000000:0000 0A 00000000:00000000
tcp 2: 030014AC:18EB 040014AC:CAC8 01 00000000:00000000
tcp6 0: 00000000000000000000000001000000:18EB 00000000000000000000000000000000:0000 0A 00000000:00000000
udp 0: 00000000:2329 00000000:0000 07 00000000:00000000
text pg_hba.conf local all postgres peer
"""
    ran, heard, texts = read("redis", "pod", said)
    # The engine's own resolver, and what was sent into the container, are no part of it.
    assert [(one.pid, one.command, one.environment) for one in ran] == [
        (1, ("/sbin/docker-init",), {"PGDATA": "/data"}),
        (7, ("redis-server *:6379",), {}),
    ]
    assert heard == {
        Listener("redis", "tcp", "0.0.0.0", 6379),
        Listener("redis", "tcp", "::1", 6379),
        Listener("redis", "udp", "0.0.0.0", 9001),
    }
    assert texts == {"pg_hba.conf": ["local all postgres peer"]}


def test_the_script_runs_in_any_shell() -> None:
    done = subprocess.run(["/bin/sh", "-c", SCRIPT], capture_output=True, text=True, timeout=60, check=True, env={})
    assert done.stdout.startswith("process ")
    assert "\ntcp sl " in done.stdout
    ran, _, _ = read("redis", "here", done.stdout)
    assert ran


def test_sockets_where_others_can_reach_them_are_found(tmp_path: Path) -> None:
    home, private = tmp_path / "home", tmp_path / "private"
    home.mkdir()
    private.mkdir(mode=0o700)
    inside = replace(
        LOCAL,
        unix_sockets=frozenset(
            {("supervisor", f"{home}/run/s"), ("supervisor", f"{private}/s"), ("postgres", "/tmp/.s.PGSQL.5432")}
        ),
    )
    assert [*processes.paths(inside, home)] == [
        f"postgres: listens on the socket /tmp/.s.PGSQL.5432; expected none outside of {home}"
    ]
