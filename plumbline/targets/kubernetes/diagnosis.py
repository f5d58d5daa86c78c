"""Diagnostics of a stack in a cluster: logs, events and resources, without secrets."""

from __future__ import annotations

from plumbline.components import COMPONENTS
from plumbline.errors import StepError
from plumbline.home import Home
from plumbline.targets.compose.images import LOG
from plumbline.targets.kubernetes import pods
from plumbline.targets.kubernetes.forwards import FORWARD, forward_log
from plumbline.targets.kubernetes.kubectl import Cluster
from plumbline.targets.kubernetes.migration import CONTAINERS, newest_pod
from plumbline.targets.kubernetes.model import COMPONENT

_LINES = 2000
_COMMANDS = {
    "kubectl-version.txt": ("version",),
    "resources.txt": ("get", "all,configmaps,networkpolicies,persistentvolumeclaims", "--output=wide"),
    "events.txt": ("get", "events", "--sort-by=.lastTimestamp"),
    "pods.txt": ("describe", "pods"),
}


def log_tail(home: Home, cluster: Cluster, component: str, lines: int) -> list[str]:
    """Return the last lines of a component's pods, of one container of the migration, or of the build."""
    if component == LOG:
        log = home.logs / f"{LOG}.log"
        return log.read_text(errors="replace").splitlines()[-lines:] if log.exists() else []
    if component.startswith(FORWARD):
        return forward_log(home, component).splitlines()[-lines:]
    if component in CONTAINERS:
        pod = newest_pod(cluster, component)
        if pod is None:
            return []
        which = [pod, f"--container={component}"]
    else:
        which = _failing_container(cluster, component) or [
            f"--selector={COMPONENT}={component}",
            "--all-containers",
            "--prefix",
        ]
    done = cluster.run("logs", *which, f"--tail={lines}")
    return (done.stdout or done.stderr).splitlines()[-lines:]


def _failing_container(cluster: Cluster, component: str) -> list[str]:
    """Return the arguments for the log of a failing container, empty if there is none."""
    try:
        found = pods.in_trouble(pods.fetch(cluster).of(component))
    except StepError:
        return []
    return [found[0], f"--container={found[1]}"] if found else []


def describe(home: Home, cluster: Cluster) -> dict[str, str]:
    """Return file name to text for a diagnostics bundle."""
    parts = (*COMPONENTS, *CONTAINERS, LOG)
    files = {f"logs/{name}.log": "\n".join(log_tail(home, cluster, name, _LINES)) for name in parts}
    forwards = sorted(path.stem for path in home.logs.glob(f"{FORWARD}*.log"))
    files |= {f"logs/{name}.log": "\n".join(log_tail(home, cluster, name, _LINES)) for name in forwards}
    for name, arguments in _COMMANDS.items():
        done = cluster.run(*arguments)
        files[name] = done.stdout + done.stderr
    return files
