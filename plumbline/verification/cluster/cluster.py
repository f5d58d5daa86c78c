"""A cluster of several nodes on this machine, which ends with this process."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from plumbline.errors import PlumblineError
from plumbline.patience import Patience
from plumbline.verification.cluster import addons, binaries, network
from plumbline.verification.cluster.certificates import Authority
from plumbline.verification.cluster.control_plane import ControlPlane
from plumbline.verification.cluster.machine import Machine, make_places
from plumbline.verification.cluster.network import Network
from plumbline.verification.cluster.node import Node, proxy_config, remove_cgroups
from plumbline.verification.cluster.registry import Registry

NODES = 3
_READY_S = 240.0


class Cluster:
    """The control plane and its nodes."""

    def __init__(self, folder: Path, programs: Path, nodes: int = NODES) -> None:
        self.folder = folder
        self._programs = programs
        self._cgroup = f"/{folder.name}"
        self._made = make_places()
        self.net = Network(network.free_subnet())
        authority = Authority(folder / "certificates")
        self._authority = authority
        self.machine = Machine("control-plane", folder / "control-plane")
        self.control_plane = ControlPlane(self.machine, self.net, authority, programs)
        self.registry = Registry(folder / "registry", self.machine, self.net.control_plane)
        self.nodes = [
            Node(
                number, Machine(f"node{number}", folder / f"node{number}"), self.net, authority, self.registry,
                programs, self.control_plane.server, self._cgroup,
            )
            for number in range(1, nodes + 1)
        ]  # fmt: skip

    def start(self) -> None:
        """Turn everything on, and wait until the nodes and DNS are ready."""
        self.machine.start()
        self.net.connect_control_plane(self.machine, f"pc{os.getpid() % 10**9}")
        self.registry.start()
        self.control_plane.start()
        for name in ("pause", "coredns"):
            self.registry.push_program(name, self._programs / name)
        for node in self.nodes:
            node.start(self.machine, len(self.nodes))
        self._start_entrance()
        for node in self.nodes:
            self._adopt(node)
        names = [node.name for node in self.nodes]
        self.kubectl("apply", "--filename=-", stdin=addons.disks(self.folder / "disks", names))
        self.kubectl("apply", "--filename=-", stdin=addons.dns(self.registry.image("coredns")))
        self.kubectl(
            "wait", "--for=condition=Ready", "nodes", "--all", f"--timeout={_READY_S:.0f}s", timeout=_READY_S + 10
        )
        self.kubectl(
            "--namespace=kube-system", "rollout", "status", "deployment/coredns", f"--timeout={_READY_S:.0f}s",
            timeout=_READY_S + 10,
        )  # fmt: skip

    def _start_entrance(self) -> None:
        """Let the control plane's address lead to Services with a port of nodes, as a load balancer does."""
        kubeconfig = self._authority.kubeconfig(self.control_plane.server, "entrance", "system:kube-proxy")
        self.machine.spawn(
            self._programs / "kube-proxy",
            [f"--config={proxy_config(self.machine, kubeconfig)}", "--hostname-override=control-plane"],
        )

    def _adopt(self, node: Node) -> None:
        """Tell a node's addresses of pods to the policies of all nodes, when it has registered."""
        patience = Patience(_READY_S)
        pods = network.pods_of(node.number)
        change = f'{{"spec": {{"podCIDR": "{pods}", "podCIDRs": ["{pods}"]}}}}'
        while not self.kubectl("patch", "node", node.name, f"--patch={change}", check=False):
            if patience.is_over():
                log = node.machine.log("kubelet")
                raise PlumblineError(f"{node.name} did not register within {patience}", hint=f"its log is {log}")
            time.sleep(0.5)
        node.join()

    def turn_on(self, node: Node) -> None:
        """Turn a node on that was killed."""
        node.start(self.machine, len(self.nodes))
        self._adopt(node)

    def kubectl(self, *arguments: str, stdin: str = "", check: bool = True, timeout: float = 120) -> str:
        """Run kubectl as administrator and return its output. Raises PlumblineError if it fails."""
        return self.control_plane.kubectl(*arguments, stdin=stdin, check=check, timeout=timeout)

    def stop(self) -> None:
        """End everything, and remove its cgroups."""
        for node in self.nodes:
            node.kill()
        self.registry.stop()
        self.machine.kill()
        for place in self._made:
            with suppress(OSError):
                place.rmdir()
        remove_cgroups(self._cgroup)


@contextmanager
def running(nodes: int = NODES) -> Iterator[Cluster]:
    """Yield a new cluster, which is removed afterwards."""
    programs = binaries.provide()
    runs = binaries.CACHE / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="plumbline-cluster-", dir=runs))
    folder.chmod(0o755)
    try:
        made = Cluster(folder, programs, nodes)
        try:
            made.start()
            yield made
        finally:
            made.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
