"""The control plane: etcd, API server, controller manager and scheduler, on the machine that is also the switch."""

from __future__ import annotations

import time
from pathlib import Path

from plumbline.errors import PlumblineError
from plumbline.patience import Patience
from plumbline.verification.cluster import kubectl, network
from plumbline.verification.cluster.certificates import Authority
from plumbline.verification.cluster.machine import Machine
from plumbline.verification.cluster.network import Network

CONTEXT = "plumbline-cluster"
_PORT = 6443
_START_S = 180.0


class ControlPlane:
    """The control plane, and the kubeconfig for this machine."""

    def __init__(self, machine: Machine, net: Network, authority: Authority, programs: Path) -> None:
        self.machine = machine
        self._net = net
        self._authority = authority
        self._programs = programs
        self.server = f"https://{net.control_plane}:{_PORT}"
        self.kubeconfig = Path()

    def start(self) -> None:
        """Start all programs, and wait until the API server is ready."""
        authority, folder = self._authority, self.machine.folder
        front = Authority(authority.folder / "front-proxy", "front-proxy-ca")
        proxy_certificate, proxy_key = front.issue("client", "front-proxy")
        names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost"]
        certificate, key = authority.issue(
            "apiserver", "kube-apiserver", addresses=[*names, self._net.control_plane, network.API, "127.0.0.1"]
        )
        to_nodes_certificate, to_nodes_key = authority.issue("to-nodes", "kube-apiserver", "system:masters")
        public, private = authority.key_pair("accounts")
        self.kubeconfig = authority.kubeconfig(self.server, "admin", "admin", "system:masters", CONTEXT)
        self.machine.spawn(
            "/usr/bin/etcd",
            ["--data-dir", str(folder / "etcd"), "--listen-client-urls=http://127.0.0.1:2379",
             "--advertise-client-urls=http://127.0.0.1:2379", "--listen-peer-urls=http://127.0.0.1:2380",
             "--unsafe-no-fsync", "--logger=zap"],
            {"ETCD_ENABLE_V2": "false"},
        )  # fmt: skip
        self.machine.spawn(
            self._programs / "kube-apiserver",
            ["--etcd-servers=http://127.0.0.1:2379", f"--advertise-address={self._net.control_plane}",
             f"--secure-port={_PORT}", f"--service-cluster-ip-range={network.SERVICES}",
             "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--allow-privileged=true",
             f"--client-ca-file={authority.certificate}", f"--tls-cert-file={certificate}",
             f"--tls-private-key-file={key}", f"--kubelet-client-certificate={to_nodes_certificate}",
             f"--kubelet-client-key={to_nodes_key}", f"--kubelet-certificate-authority={authority.certificate}",
             "--kubelet-preferred-address-types=InternalIP",
             "--service-account-issuer=https://kubernetes.default.svc",
             f"--service-account-key-file={public}", f"--service-account-signing-key-file={private}",
             f"--requestheader-client-ca-file={front.certificate}", "--requestheader-allowed-names=front-proxy",
             "--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group",
             "--requestheader-extra-headers-prefix=X-Remote-Extra-",
             f"--proxy-client-cert-file={proxy_certificate}", f"--proxy-client-key-file={proxy_key}",
             "--enable-aggregator-routing=true", f"--cert-dir={folder}"],
        )  # fmt: skip
        self._wait()
        self.machine.spawn(
            self._programs / "kube-controller-manager",
            [f"--kubeconfig={authority.kubeconfig(self.server, 'controllers', 'system:kube-controller-manager')}",
             "--use-service-account-credentials=true", f"--service-account-private-key-file={private}",
             f"--root-ca-file={authority.certificate}", "--leader-elect=false", f"--cert-dir={folder}"],
        )  # fmt: skip
        self.machine.spawn(
            self._programs / "kube-scheduler",
            [f"--kubeconfig={authority.kubeconfig(self.server, 'scheduler', 'system:kube-scheduler')}",
             "--leader-elect=false", f"--cert-dir={folder}"],
        )  # fmt: skip

    def _wait(self) -> None:
        patience = Patience(_START_S)
        while self.kubectl("get", "--raw=/readyz", check=False) != "ok":
            if patience.is_over():
                log = self.machine.log("kube-apiserver")
                raise PlumblineError(f"the API server is not ready after {patience}", hint=f"its log is {log}")
            time.sleep(0.5)

    def kubectl(self, *arguments: str, stdin: str = "", check: bool = True, timeout: float = 120) -> str:
        """Run kubectl as administrator and return its output. Raises PlumblineError if it fails."""
        return kubectl.run(self.kubeconfig, *arguments, stdin=stdin, check=check, timeout=timeout)
