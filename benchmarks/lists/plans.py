"""The plan of a statement that a connection has prepared and used for a while."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from psycopg import sql

from benchmarks.dataset import PAGE, Connection, World
from benchmarks.stack import BenchStack
from plumbline import ROOT
from plumbline.errors import PlumblineError

_PARAMETER = re.compile(r"%\((\w+)\)s")
_CUSTOM_PLANS = 5
"""Number of times that Postgres replans a prepared statement before it considers a generic plan."""
_BARE_S = 0.4
_READING = ("Scan", "Sort", "Aggregate")


@dataclass(frozen=True, slots=True)
class Plan:
    """The nodes that read or sort, each with how often it occurs, and the 8 KB blocks that were touched.

    `bare_per_s` is how often one connection of bare psycopg executes the statement in a second.
    """

    nodes: dict[str, int]
    blocks: int
    bare_per_s: float

    def as_json(self) -> dict[str, Any]:
        """Return the plan as plain data."""
        return asdict(self)

    def words(self) -> str:
        """Return the nodes in a line."""
        return ", ".join(f"{count} {name}" if count > 1 else name for name, count in self.nodes.items())


def plans(stack: BenchStack, world: World, service: str) -> dict[str, Plan]:
    """Return the plan of each list of a service, by route."""
    ids = {"user": world.user_id, "channel": world.channel_id, "document": world.document_id, "limit": PAGE}
    environment = stack.layout.service_environment(service)
    environment["PYTHONPATH"] += f":{ROOT}"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.lists.statements", service, json.dumps(ids)],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise PlumblineError(f"the statements of the lists of {service} are unknown:\n{done.stderr[-1500:]}")
    found = json.loads(done.stdout)
    with stack.connect(found["options"]) as db:
        return {name: plan(db, statement, given) for name, (statement, given) in found["lists"].items()}


def plan(db: Connection, statement: str, parameters: dict[str, Any]) -> Plan:
    """Prepare a statement, execute it until its plan has settled, and return that plan."""
    names = list(dict.fromkeys(_PARAMETER.findall(statement)))
    numbered = _PARAMETER.sub(lambda found: f"${names.index(found[1]) + 1}", statement)
    values = sql.SQL(", ").join(sql.Literal(parameters[name]) for name in names)
    execute = sql.SQL("EXECUTE page ({})").format(values)
    db.execute(sql.SQL("PREPARE page AS {}").format(sql.SQL(numbered)))
    try:
        for _ in range(_CUSTOM_PLANS + 1):
            db.execute(execute)
        ((found,),) = db.execute(sql.SQL("EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {}").format(execute))
        bare_per_s = _rate(lambda: db.execute(execute).fetchall())
    finally:
        db.execute("DEALLOCATE page")
    root = found[0]["Plan"]
    nodes = Counter(node["Node Type"] for node in _nodes(root))
    kept = {name: count for name, count in nodes.items() if name.endswith(_READING) and name != "Subquery Scan"}
    return Plan(kept, root["Shared Hit Blocks"] + root["Shared Read Blocks"], bare_per_s)


def _rate(run: Callable[[], object]) -> float:
    begun, count = time.monotonic(), 0
    while (seconds := time.monotonic() - begun) < _BARE_S:
        run()
        count += 1
    return count / seconds


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)
