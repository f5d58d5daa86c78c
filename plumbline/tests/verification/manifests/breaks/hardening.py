"""What the check of hardening sees."""

from __future__ import annotations

from .parts import Break, doc, main, pod

BREAKS: list[Break] = [
    ("restricted Pod Security", lambda m: next(m.of("Namespace"))["metadata"].pop("labels")),
    ("automountServiceAccountToken is absent", lambda m: pod(m, "caddy").pop("automountServiceAccountToken")),
    ("mounts its token", lambda m: doc(m, "ServiceAccount", "caddy").pop("automountServiceAccountToken")),
    ("serviceAccountName is 'backend'", lambda m: pod(m, "caddy").update(serviceAccountName="backend")),
    ("enableServiceLinks is absent", lambda m: pod(m, "caddy").pop("enableServiceLinks")),
    ("runAsUser is absent or root", lambda m: pod(m, "caddy")["securityContext"].pop("runAsUser")),
    ("seccompProfile is absent", lambda m: pod(m, "caddy")["securityContext"].pop("seccompProfile")),
    ("hostNetwork is True", lambda m: pod(m, "caddy").update(hostNetwork=True)),
    (
        "allowPrivilegeEscalation is absent",
        lambda m: main(m, "caddy")["securityContext"].pop("allowPrivilegeEscalation"),
    ),
    (
        "readOnlyRootFilesystem is absent",
        lambda m: main(m, "caddy")["securityContext"].pop("readOnlyRootFilesystem"),
    ),
    (
        "capabilities is {",
        lambda m: main(m, "caddy")["securityContext"]["capabilities"].update(add=["NET_BIND_SERVICE"]),
    ),
    (
        "volume x is of kind hostPath",
        lambda m: pod(m, "caddy")["volumes"].append({"name": "x", "hostPath": {"path": "/"}}),
    ),
    ("defaultMode has to be 0440", lambda m: pod(m, "backend")["volumes"][0]["secret"].pop("defaultMode")),
    (
        "volume x is of kind persistentVolumeClaim",
        lambda m: pod(m, "caddy")["volumes"].append({"name": "x", "persistentVolumeClaim": {"claimName": "gone"}}),
    ),
    ("mounts every secret", lambda m: pod(m, "backend")["volumes"][0]["secret"].pop("items")),
    ("redis keeps nothing", lambda m: pod(m, "redis").update(volumes=[{"name": "x", "emptyDir": {}}])),
    (
        "a secret in its environment",
        lambda m: main(m, "caddy").update(
            env=[{"name": "X", "valueFrom": {"secretKeyRef": {"name": "x", "key": "y"}}}]
        ),
    ),
    (
        "a secret in its environment",
        lambda m: main(m, "caddy")["envFrom"].append({"secretRef": {"name": "x"}}),
    ),
    ("fsGroup is absent", lambda m: pod(m, "backend")["securityContext"].pop("fsGroup")),
    (
        "defaultMode has to be 0440",
        lambda m: pod(m, "postgres")["volumes"][0]["secret"].update(defaultMode=0o400),
    ),
    ("no /tmp that it can write to", lambda m: main(m, "backend")["volumeMounts"].pop()),
    (
        "wait-for-backend-schema has no /tmp",
        lambda m: pod(m, "data-processor")["initContainers"][0]["volumeMounts"].pop(),
    ),
    ("one Namespace has to be there", lambda m: m.documents.remove(next(m.of("Namespace")))),
    ("privileged is True", lambda m: main(m, "caddy")["securityContext"].update(privileged=True)),
    ("security context: runAsUser is 0", lambda m: main(m, "caddy")["securityContext"].update(runAsUser=0)),
    (
        "security context: seccompProfile is {'type': 'Unconfined'}",
        lambda m: main(m, "caddy")["securityContext"].update(seccompProfile={"type": "Unconfined"}),
    ),
    (
        "security context: sysctls is",
        lambda m: pod(m, "caddy")["securityContext"].update(sysctls=[{"name": "kernel.msgmax", "value": "1"}]),
    ),
    ("runAsGroup is 0", lambda m: pod(m, "caddy")["securityContext"].update(runAsGroup=0)),
    ("takes a port of its node", lambda m: main(m, "caddy")["ports"][0].update(hostPort=80)),
    (
        "volume token is of kind projected",
        lambda m: pod(m, "caddy")["volumes"].append(
            {"name": "token", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}
        ),
    ),
    (
        "no /tmp that it can write to",
        lambda m: main(m, "backend")["volumeMounts"][1].update(readOnly=True),
    ),
    (
        "cronjob/backup backup security context: readOnlyRootFilesystem",
        lambda m: main(m, "backup")["securityContext"].pop("readOnlyRootFilesystem"),
    ),
    ("cronjob/backup security context: runAsUser", lambda m: pod(m, "backup")["securityContext"].pop("runAsUser")),
    ("cronjob/backup backup may write to its secrets", lambda m: main(m, "backup")["volumeMounts"][1].pop("readOnly")),
]
