"""What the check of hardening sees."""

from __future__ import annotations

from .parts import Break, doc, main, pod

BREAKS: list[Break] = [
    ("does not enforce", lambda m: next(m.of("Namespace"))["metadata"].pop("labels")),
    ("mounts a token", lambda m: pod(m, "caddy").pop("automountServiceAccountToken")),
    ("mounts its token", lambda m: doc(m, "ServiceAccount", "caddy").pop("automountServiceAccountToken")),
    ("share ServiceAccount", lambda m: pod(m, "caddy").update(serviceAccountName="backend")),
    ("addresses of all Services", lambda m: pod(m, "caddy").pop("enableServiceLinks")),
    ("may run as root", lambda m: pod(m, "caddy")["securityContext"].pop("runAsUser")),
    ("no seccomp profile", lambda m: pod(m, "caddy")["securityContext"].pop("seccompProfile")),
    ("shares something with its node", lambda m: pod(m, "caddy").update(hostNetwork=True)),
    ("may gain privileges", lambda m: main(m, "caddy")["securityContext"].pop("allowPrivilegeEscalation")),
    (
        "may write to its image",
        lambda m: main(m, "caddy")["securityContext"].pop("readOnlyRootFilesystem"),
    ),
    (
        "keeps capabilities",
        lambda m: main(m, "caddy")["securityContext"]["capabilities"].update(add=["NET_BIND_SERVICE"]),
    ),
    (
        "volume of kind hostPath",
        lambda m: pod(m, "caddy")["volumes"].append({"name": "x", "hostPath": {"path": "/"}}),
    ),
    ("can read secret volume", lambda m: pod(m, "backend")["volumes"][0]["secret"].pop("defaultMode")),
    ("mounts every secret", lambda m: pod(m, "backend")["volumes"][0]["secret"].pop("items")),
    ("redis has a volume", lambda m: pod(m, "redis").update(volumes=[{"name": "x", "emptyDir": {}}])),
    (
        "a secret in its environment",
        lambda m: main(m, "caddy").update(
            env=[{"name": "X", "valueFrom": {"secretKeyRef": {"name": "x", "key": "y"}}}]
        ),
    ),
    (
        "has a Secret in its environment",
        lambda m: main(m, "caddy")["envFrom"].append({"secretRef": {"name": "x"}}),
    ),
    ("cannot read its own secret", lambda m: pod(m, "backend")["securityContext"].pop("fsGroup")),
    (
        "cannot read its own secret",
        lambda m: pod(m, "postgres")["volumes"][0]["secret"].update(defaultMode=0o400),
    ),
    ("no /tmp that it can write to", lambda m: main(m, "backend")["volumeMounts"].pop()),
    (
        "wait-for-backend-schema has no /tmp",
        lambda m: pod(m, "data-processor")["initContainers"][0]["volumeMounts"].pop(),
    ),
    ("there is no Namespace", lambda m: m.documents.remove(next(m.of("Namespace")))),
    ("may gain privileges", lambda m: main(m, "caddy")["securityContext"].update(privileged=True)),
    ("of its own with runAsUser", lambda m: main(m, "caddy")["securityContext"].update(runAsUser=0)),
    (
        "of its own with seccompProfile",
        lambda m: main(m, "caddy")["securityContext"].update(seccompProfile={"type": "Unconfined"}),
    ),
    (
        "a security context with sysctls",
        lambda m: pod(m, "caddy")["securityContext"].update(sysctls=[{"name": "kernel.msgmax", "value": "1"}]),
    ),
    ("may run as root", lambda m: pod(m, "caddy")["securityContext"].update(runAsGroup=0)),
    ("takes a port of its node", lambda m: main(m, "caddy")["ports"][0].update(hostPort=80)),
    (
        "mounts a token: volume token",
        lambda m: pod(m, "caddy")["volumes"].append(
            {"name": "token", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}
        ),
    ),
    (
        "no /tmp that it can write to",
        lambda m: main(m, "backend")["volumeMounts"][1].update(readOnly=True),
    ),
]
