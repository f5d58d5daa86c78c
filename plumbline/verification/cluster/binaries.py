"""The programs of the cluster: Kubernetes itself is built as Go modules, the rest comes from the system's packages."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from plumbline.errors import PlumblineError

VERSION = "1.33.13"
CACHE = Path(os.environ.get("PLUMBLINE_CLUSTER_CACHE", "/var/lib/plumbline-cluster"))
PACKAGES = {
    "etcd": "etcd-server", "containerd": "containerd", "runc": "runc", "docker-registry": "docker-registry",
    "conntrack": "conntrack", "ipset": "ipset", "iptables": "iptables", "ip": "iproute2", "openssl": "openssl",
    "nsenter": "util-linux", "/usr/lib/cni/ptp": "containernetworking-plugins", "go": "golang (1.25 or newer)",
    "kubectl": "kubectl",
}  # fmt: skip
"""Program to the package that it comes from on Debian."""
_KUBERNETES = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy")
_DNS = "".join(
    f'import _ "github.com/coredns/coredns/plugin/{one}"\n'
    for one in ("cache", "errors", "health", "kubernetes", "ready")
)
_PAUSE = """package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGINT, syscall.SIGTERM)
	<-ended
}
"""


@dataclass(frozen=True, slots=True)
class Build:
    """A Go module of one's own that builds `packages` of other modules, or its own `main`."""

    name: str
    requires: str = ""
    packages: tuple[str, ...] = ()
    main: str = ""
    flags: str = ""
    replaces: str = ""

    @property
    def programs(self) -> tuple[str, ...]:
        """Names of the programs that it makes."""
        return tuple(one.rpartition("/")[2] for one in self.packages) or (self.name,)


BUILDS = (
    Build("kubernetes", f"k8s.io/kubernetes@v{VERSION}",
          tuple(f"k8s.io/kubernetes/cmd/{one}" for one in _KUBERNETES),
          flags=f"-X k8s.io/component-base/version.gitVersion=v{VERSION} "
          "-X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=33",
          replaces=f"v0.{VERSION.partition('.')[2]}"),
    Build("kube-router", "github.com/cloudnativelabs/kube-router/v2@v2.1.0",
          ("github.com/cloudnativelabs/kube-router/v2/cmd/kube-router",)),
    Build("coredns", "github.com/coredns/coredns@v1.15.0", main=f"""package main

import "github.com/coredns/coredns/coremain"
{_DNS}
func main() {{ coremain.Run() }}
"""),
    Build("pause", main=_PAUSE),
)  # fmt: skip


def missing() -> list[str]:
    """Return what this machine lacks, each with a way out."""
    found = []
    if os.geteuid() != 0:
        found.append("it makes namespaces, mounts and cgroups, which needs root: run it as root on a machine for tests")
    lacking = sorted({package for program, package in PACKAGES.items() if shutil.which(program) is None})
    if lacking:
        found.append(f"programs are missing. Install the packages {', '.join(lacking)}")
    return found


def provide() -> Path:
    """Build what is not in the cache, which takes minutes the first time; return the folder of the programs."""
    programs = CACHE / "bin"
    programs.mkdir(parents=True, exist_ok=True)
    for build in BUILDS:
        if not all((programs / one).exists() for one in build.programs):
            print(f"building {build.name} (once, kept in {CACHE})", flush=True)
            _build(build, programs)
    return programs


def _build(build: Build, programs: Path) -> None:
    folder = CACHE / "src" / build.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "go.mod").write_text(f"module plumbline.local/{build.name}\n\ngo 1.24.0\n")
    if build.main:
        (folder / "main.go").write_text(build.main)
    if build.replaces:
        _replace_staging(folder, build)
    if build.requires:
        _go(
            folder, "get", *[f"{one}@{build.requires.rpartition('@')[2]}" for one in build.packages] or [build.requires]
        )
    if build.main:
        _go(folder, "mod", "tidy")
    target = f"{programs}/" if build.packages else str(programs / build.name)
    _go(folder, "build", "-o", target, "-ldflags", f"-s -w {build.flags}", *(build.packages or ["."]))


def _replace_staging(folder: Path, build: Build) -> None:
    """Name the versions of the modules that Kubernetes has in its own tree, where other modules cannot find them."""
    module, _, version = build.requires.partition("@")
    told = _go(folder, "mod", "download", "-json", build.requires)
    (place,) = re.findall(r'"GoMod": "(.*?)"', told)
    staging = re.findall(r"^\s*(\S+) => \./staging/", Path(place).read_text(), re.MULTILINE)
    with (folder / "go.mod").open("a") as file:
        file.write(f"\nrequire {module} {version}\n\nreplace (\n")
        file.writelines(f"\t{one} => {one} {build.replaces}\n" for one in staging)
        file.write(")\n")


def _go(folder: Path, *arguments: str) -> str:
    environment = {
        **os.environ, "GOPATH": str(CACHE / "go"), "GOCACHE": str(CACHE / "gocache"), "GOFLAGS": "-mod=mod",
        "CGO_ENABLED": "0",
    }  # fmt: skip
    done = subprocess.run(["go", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise PlumblineError(f"go {arguments[0]} failed in {folder}: {done.stderr.strip()[-1000:]}")
    return done.stdout
