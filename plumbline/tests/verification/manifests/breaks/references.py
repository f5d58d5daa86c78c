"""What the check of references sees."""

from __future__ import annotations

from .parts import Break, cluster, data, doc, main, pod, without

BREAKS: list[Break] = [
    (
        "there is no Secret",
        lambda m: pod(m, "backend")["volumes"][0]["secret"].update(secretName="other"),
    ),
    (
        "has no key token",
        lambda m: pod(m, "backend")["volumes"][0]["secret"]["items"][1].update(key="token"),
    ),
    (
        "there is no ConfigMap",
        lambda m: main(m, "backend")["envFrom"][0]["configMapRef"].update(name="x"),
    ),
    ("has no key PLUMBLINE_POSTGRES_USER", lambda m: data(m, "services").pop("PLUMBLINE_POSTGRES_USER")),
    ("there is no volume scratch", lambda m: main(m, "caddy")["volumeMounts"][1].update(name="scratch")),
    ("nothing mounts volume", lambda m: pod(m, "caddy")["volumes"].append({"name": "x", "emptyDir": {}})),
    ("there is no ServiceAccount", lambda m: without(m, "ServiceAccount", "caddy")),
    ("mount /tmp is there twice", lambda m: main(m, "caddy")["volumeMounts"][1].update(mountPath="/tmp")),
    (
        "is used by nothing",
        lambda m: m.documents.append({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "left-over"}}),
    ),
    (
        "there is no Secret other",
        lambda m: doc(m, "Ingress", "front")["spec"]["tls"][0].update(secretName="other"),
    ),
    (
        "refers to $(PLUMBLINE_POSTGRES_HOST), which is not in env before it",
        lambda m: main(m, "postgres-exporter")["env"].reverse(),
    ),
    (
        "volume tmp is there twice",
        lambda m: pod(m, "caddy")["volumes"].append({"name": "tmp", "emptyDir": {"sizeLimit": "1Mi"}}),
    ),
    (
        "redis variable PLUMBLINE_REDIS_PASSWORD_FILE is there twice",
        lambda m: main(m, "redis")["env"].append({"name": "PLUMBLINE_REDIS_PASSWORD_FILE", "value": "other"}),
    ),
    (
        "container backend-at-head is there twice",
        lambda m: pod(m, "migrate")["containers"].append(main(m, "migrate")),
    ),
    (
        "port front is there twice",
        lambda m: main(m, "caddy")["ports"].append({"name": "front", "containerPort": 8081}),
    ),
    (
        "may be absent",
        lambda m: main(m, "backend")["envFrom"][1]["configMapRef"].update(optional=True),
    ),
    (
        "Service backend is in no namespace that is made here",
        lambda m: doc(m, "Service", "backend")["metadata"].update(namespace="default"),
    ),
    (
        "cronjob/backup: there is no PersistentVolumeClaim backups",
        lambda m: without(m, "PersistentVolumeClaim", "backups"),
    ),
]

BREAKS_OF_A_CLUSTER: list[Break] = [
    (
        "there is no Secret other",
        lambda m: cluster(m)["bootstrap"]["initdb"]["secret"].update(name="other"),
    ),
]
