"""Routes through the front door, beside the same through a Caddy that does nothing but `reverse_proxy`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import psutil

from benchmarks import dataset
from benchmarks.load.generator import Generator
from benchmarks.report import Report
from benchmarks.routes.cases import cases
from benchmarks.routes.compare import Side, Timing, take_turns
from benchmarks.routes.table import TurnsTable
from benchmarks.stack import WITH_TABLES, BenchStack, bench_stack
from plumbline.errors import PlumblineError
from plumbline.net import free_port
from plumbline.targets.embedded.programs import caddy_command, find_caddy

COST_MAX = 0.05
_ROWS = 200
_BARE = """\
{{
	admin off
	auto_https off
	persist_config off
	servers {{
		protocols h1
	}}
}}
http://:{port} {{
	bind 127.0.0.1
	handle /data-processor/* {{
		reverse_proxy 127.0.0.1:{processor}
	}}
	handle {{
		reverse_proxy 127.0.0.1:{backend}
	}}
}}
"""
_EXPLANATION = f"""\
bare/s: answers a second through a Caddy that only has `reverse_proxy`, and writes no log. ratio: through the front door
to that, the median over rounds; half of the rounds lie between the two figures after it. CPU: the CPU time that the
front door's Caddy takes for an answer, to that of the other. noise: bare beside bare. The door may cost {COST_MAX:.0%}
of the answers a second: a lower ratio ends with <.
"""


def run(report: Report, timing: Timing, only: str = "") -> None:
    """Measure every route of the services that contains `only`."""
    with bench_stack() as stack, Generator() as generator, stack.connect() as db:
        for service in WITH_TABLES:
            stack.begin(service)
        stack.wait_for_all()
        world = dataset.fill(stack, _ROWS, _ROWS)
        doors = {"front": front_door(stack), "bare": bare_door(stack)}
        table = TurnsTable(
            report, "through the front door, and through a bare reverse_proxy", "bare/s", ratio_min=1 - COST_MAX
        )
        for case in (case for service in WITH_TABLES for case in cases(world)[service] if only in case.route):
            db.execute("ANALYZE")
            bare, front, again = (
                Side(
                    case.call, doors[door], world.token, case.items, case.numbers, case.connections,
                    partial(_cpu_s, stack, door),
                )
                for door in ("bare", "front", "bare")
            )  # fmt: skip
            table.row(case.route, take_turns(generator, (bare, front, again), timing))
        report.say(_EXPLANATION)


def front_door(stack: BenchStack) -> int:
    """Start Caddy as a deployment does; return its port."""
    stack.layout.directory("caddy").mkdir(parents=True, exist_ok=True)
    port = stack.layout.ports["front"]
    _start(stack, "front", caddy_command(_caddy()), stack.layout.caddy_environment(), port)
    return port


def bare_door(stack: BenchStack) -> int:
    """Start a Caddy with nothing but `reverse_proxy`; return its port."""
    port, services = free_port(), stack.layout.ports
    file = stack.layout.home.root / "bare.caddyfile"
    file.write_text(_BARE.format(port=port, backend=services["backend"], processor=services["data-processor"]))
    command = [str(_caddy()), "run", "--config", str(file), "--adapter", "caddyfile"]
    _start(stack, "bare", command, {"HOME": str(stack.layout.home.run)}, port)
    return port


def _start(stack: BenchStack, name: str, command: list[str], environment: Mapping[str, str], port: int) -> None:
    stack.start(name, command, environment)
    stack.wait_for(name, f"http://127.0.0.1:{port}/health")


def _caddy() -> Path:
    found = find_caddy()
    if found is None:
        raise PlumblineError("caddy is not installed", hint="./deploy-local.sh doctor")
    return found


def _cpu_s(stack: BenchStack, name: str) -> float:
    times = psutil.Process(stack.running[name].pid).cpu_times()
    return times.user + times.system
