"""What the check of probes sees."""

from __future__ import annotations

from .parts import Break, main

BREAKS: list[Break] = [
    ("has no livenessProbe", lambda m: main(m, "redis").pop("livenessProbe")),
    (
        "has no route GET /healthz",
        lambda m: main(m, "backend")["readinessProbe"]["httpGet"].update(path="/healthz"),
    ),
    (
        "caddy has no route GET /health",
        lambda m: main(m, "caddy")["readinessProbe"]["httpGet"].update(path="/health"),
    ),
    ("has no port called web", lambda m: main(m, "backend")["readinessProbe"]["httpGet"].update(port="web")),
    (
        "must not depend on other components",
        lambda m: main(m, "backend")["livenessProbe"]["httpGet"].update(path="/health"),
    ),
    (
        "counts as started too early",
        lambda m: main(m, "log-sink")["startupProbe"]["httpGet"].update(path="/logs/health/live"),
    ),
    (
        "has to ask for an answer",
        lambda m: main(m, "redis").update(livenessProbe={"tcpSocket": {"port": "redis"}, "failureThreshold": 6}),
    ),
    ("killed about as soon", lambda m: main(m, "backend")["livenessProbe"].update(failureThreshold=1)),
    ("s without an answer, by plumbline", lambda m: main(m, "backend")["livenessProbe"].update(failureThreshold=5)),
    ("has the ports", lambda m: main(m, "backend")["ports"][0].update(containerPort=8101)),
    ("s to start, and needs", lambda m: main(m, "backend")["startupProbe"].update(failureThreshold=5)),
    (
        "no scheme, host or header",
        lambda m: main(m, "backend")["readinessProbe"]["httpGet"].update(scheme="HTTPS"),
    ),
    (
        "no route GET /health/live on port front",
        lambda m: main(m, "caddy")["readinessProbe"]["httpGet"].update(port="front"),
    ),
    (
        "does not run pg_isready",
        lambda m: main(m, "postgres")["readinessProbe"]["exec"].update(command=["true"]),
    ),
]
