"""What the check of compose sees."""

from __future__ import annotations

from .parts import Break, data, doc, init, main, pod, without

BREAKS: list[Break] = [
    ("is not built by Compose", lambda m: main(m, "caddy").update(image="x.example/plumbline/front:1")),
    ("names no release", lambda m: main(m, "caddy").update(image="plumbline/caddy")),
    (
        "PLUMBLINE_INGEST_PORT is '9002' here",
        lambda m: data(m, "log-sink").update(PLUMBLINE_INGEST_PORT="9002"),
    ),
    ("may use 2Gi of memory", lambda m: main(m, "caddy")["resources"]["limits"].update(memory="2Gi")),
    ("may use 512Mi of memory", lambda m: main(m, "postgres")["resources"]["limits"].update(memory="512Mi")),
    ("other arguments", lambda m: main(m, "redis").update(args=["--save", "60 1"])),
    ("Compose runs caddy", lambda m: without(m, "Deployment", "caddy")),
    (
        "is used in two releases",
        lambda m: init(m, "backend", 1).update(image="registry.example.com/plumbline/data-processor:0.0.9"),
    ),
    ("runs another program", lambda m: main(m, "backend").update(command=["sleep", "infinity"])),
    ("runs another program", lambda m: main(m, "redis").update(command=["redis-sentinel"])),
    ("other arguments", lambda m: main(m, "backend").update(args=["migrate"])),
    ("the user of its image", lambda m: pod(m, "backend")["securityContext"].update(runAsUser=1000)),
    ("reaps dead ones", lambda m: pod(m, "caddy").pop("shareProcessNamespace")),
    ("caddy cannot write to /data", lambda m: main(m, "caddy")["volumeMounts"].pop(1)),
    ("postgres cannot write to /dev/shm", lambda m: main(m, "postgres")["volumeMounts"].pop()),
    (
        "less than 128m of /dev/shm",
        lambda m: pod(m, "postgres")["volumes"][3]["emptyDir"].update(sizeLimit="8Mi"),
    ),
    (
        "loses /var/lib/postgresql/data with its pod",
        lambda m: doc(m, "StatefulSet", "postgres")["spec"].pop("volumeClaimTemplates"),
    ),
    (
        "terminationGracePeriodSeconds below 45",
        lambda m: data(m, "caddy").update(PLUMBLINE_SHUTDOWN_DELAY="25s"),
    ),
    ("does not read docker/caddy", lambda m: main(m, "caddy")["volumeMounts"][0].update(mountPath="/etc")),
    ("does not read docker/caddy", lambda m: data(m, "caddyfile").update(Caddyfile=":8080")),
    ("killed before it has stopped", lambda m: pod(m, "caddy").update(terminationGracePeriodSeconds=10)),
]
