"""Brings replaced secrets to running pods, without a rollout: the kubelet renews files of a mounted Secret."""

from __future__ import annotations

import base64
import hashlib
import json
import shlex
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from plumbline import secret_files
from plumbline.components import REDIS
from plumbline.errors import StepError
from plumbline.targets.kubernetes.kubectl import Cluster
from plumbline.targets.kubernetes.model import COMPONENT

_WAIT_S = 300
_POLL_S = 2.0
_NUDGE = "plumbline/secrets-delivered"
"""Annotation of pods: a change of it makes the kubelet renew their mounted files at once."""


class _Mounted(NamedTuple):
    pod: str
    container: str
    file: str
    """The name of the secret file."""
    path: str


def deliver(cluster: Cluster, folder: Path) -> None:
    """Write the secret files to every Secret that running pods mount, and wait until each pod sees them."""
    values = {
        name: (folder / name).read_bytes()
        for name in secret_files.readable_by(secret_files.SECRETS)
        if (folder / name).exists()
    }
    pods = [pod for pod in cluster.items("pods") if pod.get("status", {}).get("phase") == "Running"]
    for secret, names in sorted(_secrets(pods).items()):
        data = {name: base64.b64encode(values[name]).decode() for name in sorted(names) if name in values}
        if data:
            # On stdin: a command line can be read by all users of this machine.
            cluster.output("patch", "secret", secret, "--patch-file=/dev/stdin", stdin=json.dumps({"data": data}))
    if pods:
        named = [f"pod/{pod['metadata']['name']}" for pod in pods]
        cluster.run("annotate", "--overwrite", *named, f"{_NUDGE}={time.time():.0f}")
    _wait(cluster, [one for pod in pods for one in _mounted(pod) if one.file in values], values)


def _wait(cluster: Cluster, mounted: list[_Mounted], values: dict[str, bytes]) -> None:
    deadline = time.monotonic() + _WAIT_S
    while stale := [one for one in mounted if not _sees(cluster, one, values[one.file])]:
        if time.monotonic() > deadline:
            named = ", ".join(sorted({one.pod for one in stale}))
            raise StepError(
                f"these pods do not see the new secrets after {_WAIT_S} s: {named}",
                hint="look at their nodes (kubectl describe), then run the same command again",
            )
        mounted = stale
        time.sleep(_POLL_S)


def _sees(cluster: Cluster, one: _Mounted, value: bytes) -> bool:
    """Return whether a container's file holds the value. A pod that has ended meanwhile does not count."""
    command = f"sha256sum {shlex.quote(one.path)}"
    done = cluster.run("exec", one.pod, f"--container={one.container}", "--", "sh", "-c", command)
    if done.returncode != 0:
        return "not found" in done.stderr and "pods" in done.stderr
    return done.stdout.split()[:1] == [hashlib.sha256(value).hexdigest()]


def _secrets(pods: list[dict[str, Any]]) -> dict[str, set[str]]:
    """Return the Secrets that pods mount, each with the keys that are mounted."""
    found: dict[str, set[str]] = {}
    for pod in pods:
        for volume in pod["spec"].get("volumes", []):
            if secret := volume.get("secret"):
                found.setdefault(secret["secretName"], set()).update(one["key"] for one in secret.get("items", []))
    return found


def _mounted(pod: dict[str, Any]) -> Iterator[_Mounted]:
    volumes = {one["name"]: one["secret"] for one in pod["spec"].get("volumes", []) if "secret" in one}
    for container in pod["spec"]["containers"]:
        for mount in container.get("volumeMounts", []):
            for item in volumes.get(mount["name"], {}).get("items", []):
                path = f"{mount['mountPath']}/{item['path']}"
                yield _Mounted(pod["metadata"]["name"], container["name"], item["key"], path)


def set_redis_passwords(cluster: Cluster, rule: str, digest: str) -> None:
    """Run `redis.sh accept` or `redis.sh only` in the pod of Redis. Raises StepError."""
    for pod in cluster.items("pods", f"--selector={COMPONENT}={REDIS.name}"):
        name, container = pod["metadata"]["name"], f"--container={REDIS.name}"
        cluster.output("exec", name, container, "--", "/opt/plumbline/redis.sh", rule, digest, component=REDIS.name)
