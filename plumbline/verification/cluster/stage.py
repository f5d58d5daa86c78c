"""A stack in the cluster, with an entrance that does not depend on one pod, and what drills do to its pods."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from plumbline import ROOT
from plumbline.errors import PlumblineError
from plumbline.home import Home
from plumbline.patience import Patience
from plumbline.stack import Stack
from plumbline.targets.kubernetes.contexts import CONTEXT_VARIABLE, REGISTRY_VARIABLE
from plumbline.targets.kubernetes.rendering import mark_of
from plumbline.verification.cluster.cluster import Cluster
from plumbline.verification.cluster.control_plane import CONTEXT
from plumbline.verification.cluster.node import Node
from plumbline.verification.drills.stage import Stage

COMPONENT = "app.kubernetes.io/component"
_ENTRANCE = """
apiVersion: v1
kind: Service
metadata: {name: entrance}
spec:
  type: NodePort
  selector: {app.kubernetes.io/component: caddy}
  ports: [{port: 8080, targetPort: 8080}]
"""
_SPREAD = ("caddy", "backend", "data-processor", "log-sink", "worker")
_PATIENCE_S = 300.0


class ClusterStage(Stage):
    """The stack of one home in the cluster."""

    def __init__(self, home: Home, cluster: Cluster) -> None:
        super().__init__(home)
        self.cluster = cluster
        self.namespace = f"plumbline-{mark_of(home)}"
        self._entrance = ""

    @property
    def stack(self) -> Stack:
        """The stack, behind its entrance: over a port-forward, clients would be away with one pod of Caddy."""
        return replace(super().stack, base_url=self._entrance) if self._entrance else super().stack

    def open_entrance(self) -> None:
        """Make a port of nodes that leads to every ready pod of Caddy."""
        self.kubectl("apply", "--filename=-", stdin=_ENTRANCE)
        port = self.kubectl("get", "service", "entrance", "--output=jsonpath={.spec.ports[0].nodePort}")
        self._entrance = f"http://{self.cluster.net.control_plane}:{port}"

    def kubectl(self, *arguments: str, stdin: str = "", check: bool = True, timeout: float = _PATIENCE_S) -> str:
        """Run kubectl in the stack's namespace and return its output. Raises PlumblineError if it fails."""
        return self.cluster.kubectl(
            f"--namespace={self.namespace}", *arguments, stdin=stdin, check=check, timeout=timeout
        )

    def pods(self, component: str = "") -> list[dict[str, Any]]:
        """Return the pods of the stack, or of one component."""
        selector = [f"--selector={COMPONENT}={component}"] if component else []
        found: list[dict[str, Any]] = json.loads(self.kubectl("get", "pods", "--output=json", *selector))["items"]
        return found

    def node_of(self, component: str) -> Node:
        """Return the node of a component that has one pod."""
        names = {pod["spec"].get("nodeName") for pod in self.pods(component)}
        return next(node for node in self.cluster.nodes if node.name in names)

    def node_without(self, *components: str) -> Node:
        """Return a node with none of these components, which has other pods."""
        apart = {pod["spec"].get("nodeName") for name in components for pod in self.pods(name)}
        found = next(node for node in self.cluster.nodes if node.name not in apart)
        if not any(pod["spec"].get("nodeName") == found.name for pod in self.pods("caddy")):
            self.spread()
        return found

    def spread(self) -> None:
        """Replace pods so that each node has one of the front door: pods do not move to a node that comes back."""
        for node in self.cluster.nodes:
            if all(pod["spec"].get("nodeName") != node.name for pod in self.pods("caddy")):
                self.kubectl("rollout", "restart", *(f"deployment/{name}" for name in _SPREAD))
                self.wait_whole()
                return

    def wait(self, condition: Callable[[], object], otherwise: str, patience_s: float = _PATIENCE_S) -> None:
        """Wait until a condition holds. Raises PlumblineError."""
        patience = Patience(patience_s)
        while not condition():
            if patience.is_over():
                raise PlumblineError(f"{otherwise} within {patience}")
            time.sleep(1)

    def is_ready(self, node: Node) -> bool:
        """Return whether the control plane takes a node for ready."""
        conditions = json.loads(self.cluster.kubectl("get", "node", node.name, "--output=json"))["status"]["conditions"]
        return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)

    def wait_whole(self) -> None:
        """Wait until every workload has all its pods, each ready, and open the forwards again."""
        for kind in ("deployment", "statefulset"):
            for name in self.kubectl("get", kind, "--output=name").split():
                self.kubectl("rollout", "status", name, f"--timeout={_PATIENCE_S:.0f}s", timeout=_PATIENCE_S + 10)
        self.target.start("postgres", "redis", "caddy")

    @contextmanager
    def other_checkout(self, changes: Mapping[str, str]) -> Iterator[None]:
        """Run commands in a copy of this checkout, with text added to some files, which are made if needed."""
        with tempfile.TemporaryDirectory(prefix="plumbline-checkout-") as folder:
            archive = subprocess.run(["git", "-C", str(ROOT), "archive", "HEAD"], capture_output=True, check=True)
            subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
            settings = ROOT / "docker" / ".env"  # git ignores it
            if settings.exists():
                shutil.copy(settings, Path(folder) / "docker" / ".env")
            for name, text in changes.items():
                with (Path(folder) / name).open("a") as file:
                    file.write(text)
            self.checkout = Path(folder)
            try:
                yield
            finally:
                self.checkout = ROOT


@contextmanager
def staged(cluster: Cluster) -> Iterator[ClusterStage]:
    """Yield a stack in the cluster. The cluster is removed with it, so it is not taken down."""
    os.environ |= {
        "KUBECONFIG": str(cluster.control_plane.kubeconfig),
        CONTEXT_VARIABLE: CONTEXT,
        REGISTRY_VARIABLE: f"{cluster.registry.name}/plumbline",
    }
    home = Home(cluster.folder / "home")
    home.root.mkdir(mode=0o755)
    made = ClusterStage(home, cluster)
    try:
        made.deploy("kubernetes")
        made.open_entrance()
        yield made
    finally:
        if home.exists and home.load().target:
            made.target.remove()
