"""A node: containerd, kubelet, kube-proxy, and kube-router for network policies."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

from plumbline.verification.cluster import network
from plumbline.verification.cluster.certificates import Authority
from plumbline.verification.cluster.machine import Machine
from plumbline.verification.cluster.network import Network
from plumbline.verification.cluster.registry import Registry

CGROUPS = Path("/sys/fs/cgroup")
_SHARES = {"cpu.shares": "6144", "cpu.weight": "600"}
"""The share of all pods together, as of six processes: without it, other programs of this machine starve them."""
_SOCKET = "/run/containerd/containerd.sock"


class Node:
    """One node. Its first start makes its certificates; `start` after `kill` is what turning it on again does."""

    def __init__(
        self, number: int, machine: Machine, net: Network, authority: Authority, registry: Registry, programs: Path,
        server: str, cgroup: str,
    ) -> None:  # fmt: skip
        self.number = number
        self.name = machine.name
        self.machine = machine
        self._net, self._authority, self._registry = net, authority, registry
        self._programs = programs
        self._server = server
        self._cgroup = f"{cgroup}/{self.name}"

    def start(self, control_plane: Machine, nodes: int) -> None:
        """Turn it on."""
        self.machine.start()
        self._net.connect_node(control_plane, self.machine, self.number, nodes)
        self._make_cgroups()
        self._write_files()
        self.machine.spawn("/usr/bin/containerd", ["--config=/etc/containerd/config.toml"])
        self._spawn_kubelet()

    def join(self) -> None:
        """Start what routes to Services and enforces policies; both ask for the node, so it has to be registered."""
        self._spawn_proxy()
        self._spawn_policies()

    def kill(self) -> None:
        """Cut its power: kubelet, containers and everything else end at once."""
        self.machine.kill()
        remove_cgroups(self._cgroup)

    def _make_cgroups(self) -> None:
        for hierarchy in hierarchies():
            own = hierarchy / self._cgroup.strip("/")
            own.mkdir(parents=True, exist_ok=True)
            for file, share in _SHARES.items():
                if (own.parent / file).exists():
                    (own.parent / file).write_text(share)

    def _write_files(self) -> None:
        folder = self.machine.folder
        place = folder / "etc-containerd" / "certs.d" / self._registry.name
        place.mkdir(parents=True, exist_ok=True)
        (place / "hosts.toml").write_text(
            f'[host."http://{self._registry.inside}"]\ncapabilities = ["pull", "resolve"]\n'
        )
        (folder / "etc-containerd" / "config.toml").write_text(f"""version = 2
disabled_plugins = ["io.containerd.internal.v1.opt"]
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{self._registry.image("pause")}"
  restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "/usr/lib/cni"
  conf_dir = "/etc/cni/net.d"
[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = "/etc/containerd/certs.d"
""")
        pods = {"type": "host-local", "ranges": [[{"subnet": network.pods_of(self.number)}]],
                "routes": [{"dst": "0.0.0.0/0"}]}  # fmt: skip
        plugins = [{"type": "ptp", "ipam": pods}, {"type": "portmap", "capabilities": {"portMappings": True}}]
        network_list = {"cniVersion": "0.4.0", "name": "pods", "plugins": plugins}
        (folder / "etc-cni-net.d" / "10-pods.conflist").write_text(json.dumps(network_list))
        (folder / "resolv.conf").write_text("")

    def _spawn_kubelet(self) -> None:
        folder, address = self.machine.folder, self._net.node(self.number)
        certificate, key = self._authority.issue(f"{self.name}-server", self.name, addresses=[self.name, address])
        config = {
            "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
            "authentication": {"x509": {"clientCAFile": str(self._authority.certificate)}},
            "cgroupDriver": "cgroupfs", "cgroupRoot": self._cgroup,
            "clusterDomain": "cluster.local", "clusterDNS": [network.DNS],
            "containerRuntimeEndpoint": f"unix://{_SOCKET}",
            "evictionHard": {"memory.available": "0%", "nodefs.available": "0%", "imagefs.available": "0%"},
            "failSwapOn": False, "failCgroupV1": False, "imageGCHighThresholdPercent": 100, "oomScoreAdj": 0,
            "resolvConf": str(folder / "resolv.conf"), "serializeImagePulls": False,
            "tlsCertFile": str(certificate), "tlsPrivateKeyFile": str(key),
            "volumePluginDir": "/var/lib/kubelet/volume-plugins",
        }  # fmt: skip
        (folder / "kubelet.json").write_text(json.dumps(config))
        self.machine.spawn(
            self._programs / "kubelet",
            [f"--config={folder / 'kubelet.json'}", f"--hostname-override={self.name}", f"--node-ip={address}",
             f"--kubeconfig={self._kubeconfig('kubelet', f'system:node:{self.name}', 'system:nodes')}",
             f"--containerd={_SOCKET}"],
        )  # fmt: skip

    def _spawn_proxy(self) -> None:
        self.machine.spawn(
            self._programs / "kube-proxy",
            [f"--config={proxy_config(self.machine, self._kubeconfig('proxy', 'system:kube-proxy'))}",
             f"--hostname-override={self.name}"],
        )  # fmt: skip

    def _spawn_policies(self) -> None:
        self.machine.spawn(
            self._programs / "kube-router",
            [f"--kubeconfig={self._kubeconfig('router', 'kube-router', 'system:masters')}", "--run-firewall=true",
             "--run-router=false", "--run-service-proxy=false", f"--hostname-override={self.name}",
             f"--service-cluster-ip-range={network.SERVICES}"],
            {"NODE_NAME": self.name},
        )  # fmt: skip

    def _kubeconfig(self, name: str, user: str, group: str = "") -> Path:
        place = self._authority.folder / f"{self.name}-{name}.kubeconfig"
        return place if place.exists() else self._authority.kubeconfig(self._server, place.stem, user, group)


def proxy_config(machine: Machine, kubeconfig: Path) -> Path:
    """Write the configuration of a kube-proxy that leaves the limits of connections, which all machines share."""
    config = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration", "mode": "iptables",
        "clientConnection": {"kubeconfig": str(kubeconfig)}, "clusterCIDR": network.PODS,
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        "oomScoreAdj": 0,
    }  # fmt: skip
    place = machine.folder / "kube-proxy.json"
    place.write_text(json.dumps(config))
    return place


def hierarchies() -> list[Path]:
    """Return the folders of the hierarchies of cgroups: one for each controller in version 1, one in version 2."""
    if (CGROUPS / "cgroup.controllers").exists():
        return [CGROUPS]
    return sorted(one for one in CGROUPS.iterdir() if (one / "cgroup.procs").exists() and one.name != "unified")


def remove_cgroups(path: str) -> None:
    """Remove a cgroup with all below it, as turning a machine off does; no process may be in them any more."""
    for hierarchy in hierarchies():
        for group, _, _ in os.walk(hierarchy / path.strip("/"), topdown=False):
            with suppress(OSError):
                Path(group).rmdir()
