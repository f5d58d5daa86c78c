"""Kubernetes: replaced secrets reach pods without a rollout, and no value is on a command line."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any, cast

import pytest

from plumbline import secret_files
from plumbline.errors import StepError
from plumbline.targets.kubernetes import delivery
from plumbline.targets.kubernetes.kubectl import Cluster


def pod(name: str, phase: str = "Running", *keys: str) -> dict[str, Any]:
    items = [{"key": key, "path": key} for key in keys]
    return {
        "metadata": {"name": name},
        "status": {"phase": phase},
        "spec": {
            "volumes": [{"name": "secrets", "secret": {"secretName": "plumbline-a1", "items": items}}, {"name": "tmp"}],
            "containers": [
                {"name": "main", "volumeMounts": [
                    {"name": "secrets", "mountPath": "/run/secrets/plumbline"}, {"name": "tmp", "mountPath": "/tmp"},
                ]}
            ],
        },
    }  # fmt: skip


class Kubelets:
    """A cluster whose pods see a change only at the second look."""

    def __init__(self, *pods: dict[str, Any]) -> None:
        self.pods = list(pods)
        self.data: dict[str, str] = {}
        self.commands: list[tuple[str, ...]] = []
        self.looks: dict[str, int] = {}
        self.behind = 1

    def items(self, kinds: str, *arguments: str) -> list[dict[str, Any]]:
        self.commands.append(("get", kinds, *arguments))
        return self.pods

    def output(self, *arguments: str, stdin: str = "", component: str | None = None) -> str:
        self.commands.append(arguments)
        if arguments[0] == "patch":
            self.data |= json.loads(stdin)["data"]
        return ""

    def run(self, *arguments: str, stdin: str = "", timeout: float = 0) -> subprocess.CompletedProcess[str]:
        self.commands.append(arguments)
        if arguments[0] != "exec":
            return subprocess.CompletedProcess(arguments, 0, "", "")
        path = arguments[-1].split()[-1]
        self.looks[path] = self.looks.get(path, 0) + 1
        seen = base64.b64decode(self.data[Path(path).name]) if self.looks[path] > self.behind else b"the former"
        return subprocess.CompletedProcess(arguments, 0, f"{hashlib.sha256(seen).hexdigest()}  {path}\n", "")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The secrets of a home."""
    secret_files.generate(tmp_path)
    monkeypatch.setattr(delivery, "_POLL_S", 0.0)
    return tmp_path


def test_a_delivery_ends_when_every_pod_sees_the_new_values(folder: Path) -> None:
    mounted = ("token_secret", "token_secret_also")
    cluster = Kubelets(pod("backend-1", "Running", *mounted), pod("migrate-1", "Succeeded", "operator_password"))
    delivery.deliver(cast(Cluster, cluster), folder)
    assert cluster.data == {name: base64.b64encode((folder / name).read_bytes()).decode() for name in mounted}
    assert cluster.looks == {f"/run/secrets/plumbline/{name}": 2 for name in mounted}
    assert not any(one[0] in ("apply", "rollout", "delete", "scale") for one in cluster.commands), "nothing restarts"
    values = [(folder / name).read_text() for name in secret_files.SECRETS]
    assert not any(value in word for one in cluster.commands for word in one for value in values)


def test_a_pod_that_sees_nothing_new_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "_WAIT_S", 0)
    cluster = Kubelets(pod("backend-1", "Running", "token_secret"))
    cluster.behind = 10**6
    with pytest.raises(StepError, match=r"backend-1") as caught:
        delivery.deliver(cast(Cluster, cluster), folder)
    assert caught.value.hint


def test_redis_takes_a_hash_in_its_pod() -> None:
    cluster = Kubelets(pod("redis-0"))
    delivery.set_redis_passwords(cast(Cluster, cluster), "only", "ab12")
    assert cluster.commands[0] == ("get", "pods", "--selector=app.kubernetes.io/component=redis")
    assert cluster.commands[1] == (
        "exec", "redis-0", "--container=redis", "--", "/opt/plumbline/redis.sh", "only", "ab12",
    )  # fmt: skip
