"""The cluster, through the `kubectl` command, always with a named context."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import Any

from plumbline.errors import StepError

_PATIENCE_S = 120

Version = tuple[int, int]
"""Major and minor."""
OLDEST: Version = (1, 27)
"""Of kubectl, for its kustomize, and of the cluster, for fields that k8s/ uses."""
MISSING = (
    "kubectl is not on the PATH: install {}.{} or newer (your system's package, or kubernetes.io/docs/tasks/tools), or "
    "name one in PLUMBLINE_KUBECTL"
).format(*OLDEST)


def program() -> str | None:
    """Return the path of kubectl, None if it is not installed."""
    return shutil.which(os.environ.get("PLUMBLINE_KUBECTL", "kubectl"))


def current_context() -> str | None:
    """Return the name of kubectl's current context, None if there is none."""
    done = _run(["config", "current-context"])
    return done.stdout.strip() or None if done.returncode == 0 else None


def _found() -> str:
    kubectl = program()
    if kubectl is None:
        raise StepError("kubectl was removed", hint="./deploy-local.sh doctor")
    return kubectl


def _run(arguments: list[str], stdin: str = "", timeout: float = _PATIENCE_S) -> subprocess.CompletedProcess[str]:
    kubectl = _found()
    try:
        return subprocess.run(
            [kubectl, *arguments],
            input=stdin, capture_output=True, text=True, errors="replace", check=False, timeout=timeout,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise StepError(
            f"kubectl {' '.join(arguments[:3])} did not end within {timeout:g} s", hint="check that the cluster answers"
        ) from None


def last_words(text: str, lines: int = 5) -> str:
    """Return the last lines of a command's output."""
    return "\n".join(text.strip().splitlines()[-lines:]) or "no output"


@dataclass(frozen=True, slots=True)
class Cluster:
    """One context, and one namespace in it."""

    context: str
    namespace: str

    def arguments(self, *arguments: str) -> list[str]:
        """Return kubectl's arguments with context and namespace."""
        return [f"--context={self.context}", f"--namespace={self.namespace}", *arguments]

    def command(self, *arguments: str) -> list[str]:
        """Return the whole command line of kubectl. Raises StepError if it is not installed."""
        return [_found(), *self.arguments(*arguments)]

    def run(self, *arguments: str, stdin: str = "", timeout: float = _PATIENCE_S) -> subprocess.CompletedProcess[str]:
        """Run kubectl and return the result, for any exit code. Raises StepError if it hangs."""
        return _run(self.arguments(*arguments), stdin, timeout)

    def output(self, *arguments: str, stdin: str = "", component: str | None = None) -> str:
        """Run kubectl and return its output. If it fails, raises StepError with its message."""
        done = self.run(*arguments, stdin=stdin)
        if done.returncode != 0:
            raise StepError(
                f"kubectl {arguments[0]} failed: {last_words(done.stderr or done.stdout)}",
                component=component,
                exit_code=done.returncode,
            )
        return done.stdout

    def items(self, kinds: str, *arguments: str) -> list[dict[str, Any]]:
        """Return resources of these kinds, empty if the namespace does not exist. Raises StepError."""
        found: list[dict[str, Any]] = json.loads(
            self.output("get", kinds, "--output=json", "--ignore-not-found", *arguments) or '{"items": []}'
        )["items"]
        return found

    def versions(self) -> tuple[Version, Version]:
        """Return the versions of kubectl and the cluster. Raises StepError if the cluster does not answer."""
        done = self.run("version", "--output=json", "--request-timeout=10s", timeout=30)
        if done.returncode != 0:
            way_out = "start it, or choose a context of `kubectl config get-contexts`"
            raise StepError(
                f"the cluster of context {self.context} does not answer: {last_words(done.stderr, 1)} ({way_out})"
            )
        said = json.loads(done.stdout)
        client, server = (_version(said[key]) for key in ("clientVersion", "serverVersion"))
        return client, server

    def namespace_document(self) -> dict[str, Any] | None:
        """Return the namespace, None if there is none. Raises StepError."""
        said = self.output("get", "namespace", self.namespace, "--output=json", "--ignore-not-found")
        found: dict[str, Any] | None = json.loads(said) if said.strip() else None
        return found

    def allows(self, verb: str, what: str) -> bool:
        """Return whether the user may do this in the namespace."""
        return self.run("auth", "can-i", verb, what).returncode == 0


def _version(said: dict[str, str]) -> Version:
    # Some providers write the minor version as "32+".
    return int(said["major"]), int("".join(filter(str.isdecimal, said["minor"])))
