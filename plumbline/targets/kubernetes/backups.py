"""Regular backups in the cluster: the CronJob of k8s/components/backups, and the archives on its claim."""

from __future__ import annotations

import copy
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from plumbline.backups.intervals import minutes
from plumbline.errors import ElsewhereError, PlumblineError
from plumbline.targets.kubernetes import kustomize, waiting
from plumbline.targets.kubernetes.kubectl import Cluster
from plumbline.targets.kubernetes.kustomize import Document
from plumbline.targets.kubernetes.model import BACKUP, COMPONENT, Manifests

KUSTOMIZE_COMPONENT = "../../components/backups"
READER = "backup-reader"
"""A pod that exists while archives are copied from the claim."""
_READER_LIVES_S = 3600
_HOUR, _DAY = 60, 24 * 60


def cron(every: str) -> str:
    """Return the schedule of a CronJob for an interval. Raises PlumblineError if the clock cannot express it."""
    count = minutes(every)
    if count < _HOUR and _HOUR % count == 0:
        return f"*/{count} * * * *"
    if count < _DAY and count % _HOUR == 0 and _DAY % count == 0:
        return f"0 */{count // _HOUR} * * *"
    if count == _DAY:
        return "0 0 * * *"
    raise PlumblineError(
        f"a cluster makes backups by the clock, and {every} does not divide an hour or a day",
        hint="choose one of 10m, 15m, 20m, 30m, 1h, 2h, 3h, 4h, 6h, 8h, 12h, 1d",
    )


def added(overlay: Document, *, every: str, keep: int) -> None:
    """Add the CronJob with this schedule to the content of an overlay's kustomization.yaml."""
    components = overlay.setdefault("components", [])
    if KUSTOMIZE_COMPONENT not in components:
        # First, because another component may replace Postgres.
        components.insert(0, KUSTOMIZE_COMPONENT)
    arguments = "/spec/jobTemplate/spec/template/spec/containers/0/args/1"
    changes = [
        {"op": "replace", "path": "/spec/schedule", "value": cron(every)},
        {"op": "replace", "path": arguments, "value": str(keep)},
    ]
    patch = {"target": {"kind": "CronJob", "name": BACKUP}, "patch": json.dumps(changes)}
    overlay.setdefault("patches", []).append(patch)


def require_own_postgres(manifests: Manifests) -> None:
    """Raise ElsewhereError if the stack has no Postgres of its own."""
    if manifests.named("StatefulSet", "postgres") is None:
        raise ElsewhereError("Postgres is not part of this stack", hint="back it up where it runs")


def remove(cluster: Cluster) -> None:
    """Delete the CronJob; its claim and the archives on it are kept."""
    cluster.output("delete", "cronjob", BACKUP, "--ignore-not-found", "--wait=true")


def newest(cluster: Cluster) -> datetime | None:
    """Return when the CronJob last made a backup that was verified."""
    jobs = cluster.items("cronjobs", f"--selector={COMPONENT}={BACKUP}")
    ended = [one.get("status", {}).get("lastSuccessfulTime") for one in jobs]
    return max((datetime.fromisoformat(one) for one in ended if one), default=None)


def fetch(cluster: Cluster, place: Path) -> str:
    """Copy the newest archive on the claim to a file, and return its name. Raises PlumblineError."""
    with _reader(cluster) as folder:
        listed = cluster.output("exec", READER, "--", "sh", "-c", f"ls {folder}").split()
        names = sorted((one for one in listed if one.endswith(".plumbline")), key=lambda name: int(name.split("-")[0]))
        if not names:
            raise PlumblineError(
                "there is no archive in the cluster yet", hint="make one here: ./deploy-local.sh backup"
            )
        command = cluster.command("exec", READER, "--", "cat", f"{folder}/{names[-1]}")
        with place.open("xb") as file:
            place.chmod(0o600)
            done = subprocess.run(command, stdout=file, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            raise PlumblineError(f"{names[-1]} cannot be copied from the cluster: {done.stderr.strip()[-300:]}")
    return names[-1]


@contextmanager
def _reader(cluster: Cluster) -> Iterator[str]:
    """Run a pod that mounts the claim as the CronJob's do, and yield the folder of the archives in it."""
    jobs = cluster.items("cronjobs", f"--selector={COMPONENT}={BACKUP}")
    if not jobs:
        raise PlumblineError(
            "no backups are made regularly in the cluster", hint="./deploy-local.sh backup --every 6h --keep 14"
        )
    template: dict[str, Any] = jobs[0]["spec"]["jobTemplate"]["spec"]["template"]
    spec = copy.deepcopy(template["spec"])
    container = spec["containers"][0]
    folder = str(container["args"][0])
    mounts = [one for one in container["volumeMounts"] if one["mountPath"] == folder]
    container |= {"command": ["sleep"], "args": [str(_READER_LIVES_S)], "env": [], "volumeMounts": mounts}
    spec["volumes"] = [one for one in spec["volumes"] if one["name"] == mounts[0]["name"]]
    spec["terminationGracePeriodSeconds"] = 0
    labels = {COMPONENT: READER}  # not those that may call Postgres
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": READER, "labels": labels}, "spec": spec}
    cluster.output("delete", "pod", READER, "--ignore-not-found", "--wait=true")
    cluster.output("apply", "--filename=-", stdin=kustomize.dump([pod]))
    try:
        waiting.wait_ready(cluster, READER)
        yield folder
    finally:
        cluster.run("delete", "pod", READER, "--ignore-not-found", "--wait=false")
