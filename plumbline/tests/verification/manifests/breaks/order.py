"""What the check of order sees."""

from __future__ import annotations

from .parts import Break, init, pod

BREAKS: list[Break] = [
    ("backend does not wait for migrate-data-processor", lambda m: pod(m, "backend")["initContainers"].pop()),
    (
        "migrate-backend waits for migrate-data-processor, which the plan has later",
        lambda m: pod(m, "migrate")["initContainers"].reverse(),
    ),
    ("migrate-backend does not wait for postgres", lambda m: pod(m, "migrate")["initContainers"].pop(0)),
    ("caddy does not wait for services", lambda m: pod(m, "caddy").pop("initContainers")),
    ("backend does not wait for migrate-backend", lambda m: pod(m, "backend")["initContainers"].pop(0)),
    (
        "data-processor does not wait for migrate-data-processor",
        lambda m: init(m, "data-processor", 1).update(command=["true"]),
    ),
    (
        "backend does not wait for migrate-data-processor",
        lambda m: init(m, "backend", 1).update(restartPolicy="Always"),
    ),
    (
        "without a look whether the tables of plumbline/data-processor",
        lambda m: pod(m, "migrate")["containers"].pop(),
    ),
]
