"""What the check of capacity sees."""

from __future__ import annotations

from .parts import Break, cluster, data, doc, main

BREAKS: list[Break] = [
    ("max_connections of Postgres is not set", lambda m: main(m, "postgres").pop("args")),
    (
        "a rollout does not fit the node of this overlay",
        lambda m: doc(m, "Namespace", "plumbline")["metadata"].update(
            annotations={"plumbline/node-cpu": "2", "plumbline/node-memory": "4Gi"}
        ),
    ),
    (
        "Postgres has 57",
        lambda m: main(m, "postgres").update(args=["-c", "max_connections=60"]),
    ),
    (
        "database connections may be opened",
        lambda m: data(m, "services").update(PLUMBLINE_POOL_SIZE="8"),
    ),
    (
        "database connections may be opened",
        lambda m: doc(m, "HorizontalPodAutoscaler", "backend")["spec"].update(maxReplicas=20),
    ),
]

BREAKS_OF_A_CLUSTER: list[Break] = [
    ("Postgres has 37", lambda m: cluster(m)["postgresql"]["parameters"].update(max_connections="40")),
]
