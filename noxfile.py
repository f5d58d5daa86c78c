"""The task list: `nox` runs what is marked with * in `nox -l`; `nox -s smoke` runs one.

What follows `--` goes to pytest: `nox -s suites -- --target embedded --keep-stack -k restart`.
"""

from __future__ import annotations

import os
import shutil

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.error_on_missing_interpreters = True

# Sessions run this checkout's code in their own environments, whatever the caller's shell says to Python.
for _name in [name for name in os.environ if name.startswith("PYTHON")]:
    del os.environ[_name]

# uv is to trust whom this machine trusts, as pip does: a network's own authority is known to no other store.
os.environ.setdefault("UV_SYSTEM_CERTS", "true")

LOCKED = "requirements/dev.txt"
KUSTOMIZE = "sigs.k8s.io/kustomize/kustomize/v5@v5.7.1"
CODE = [".", *(f"services/{name}" for name in ("servicekit", "backend", "data-processor", "log-sink"))]
SCRIPTS = [
    "deploy-local.sh",
    "requirements/lock.sh",
    ".ci/run",
    ".ci/engine",
    ".ci/compose",
    "docker/alive.sh",
    "docker/offline/build.sh",
    "docker/postgres/start.sh",
    "docker/redis/redis.sh",
]


def _install(session: nox.Session) -> None:
    session.install("--require-hashes", "-r", LOCKED)


def _pytest(session: nox.Session, *arguments: str) -> None:
    session.run("python", "-m", "pytest", *arguments, *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Ruff, mypy (strict), who may import whom, shellcheck."""
    _install(session)
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    session.run("lint-imports", "--no-logo", env={"PYTHONPATH": os.pathsep.join(CODE)})
    session.run("shellcheck", *SCRIPTS)


@nox.session
def unit(session: nox.Session) -> None:
    """The tests that stand beside the code, on a throwaway Postgres and Redis."""
    _install(session)
    _pytest(session, "plumbline", "services", "benchmarks")


@nox.session
def manifests(session: nox.Session) -> None:
    """Render every Kubernetes overlay and check it; no cluster needed, but kubectl, kustomize or Go."""
    _install(session)
    _renderer(session)
    session.run("python", "-m", "plumbline.verification.manifests")
    _pytest(session, "plumbline/tests/verification/manifests")


def _renderer(session: nox.Session) -> None:
    """See that there is something that renders; neither is on PyPI."""
    if shutil.which(os.environ.get("PLUMBLINE_KUBECTL", "kubectl")) or shutil.which("kustomize"):
        return
    if not shutil.which("go"):
        session.skip("nothing here renders manifests: install kubectl 1.27 or newer, or kustomize 5, or Go to build it")
    session.run("go", "install", KUSTOMIZE, env={"GOBIN": session.bin}, external=True)


@nox.session
def suites(session: nox.Session) -> None:
    """Prove a stack of its own, gone afterwards: smoke and logs, with the checks that disturb a stack's users."""
    _install(session)
    _pytest(session, "tests/smoke", "tests/logs", "--own-stack")


@nox.session(default=False)
def smoke(session: nox.Session) -> None:
    """Prove the stack that runs, without disturbing it: health, channels, documents, annotations, templates, rows."""
    _install(session)
    _pytest(session, "tests/smoke")


@nox.session(default=False)
def logs(session: nox.Session) -> None:
    """Prove the recorder of the stack that runs, without disturbing it: what it keeps, and from whom."""
    _install(session)
    _pytest(session, "tests/logs")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the docs strictly; fail if a generated page differs from what the code says."""
    _install(session)
    session.run("python", "-m", "plumbline.verification.docs", "--check")
    # Not --quiet, which hides warnings from --strict, too. The theme's advertisement for its successor is none of ours.
    session.run("mkdocs", "build", "--strict", env={"NO_MKDOCS_2_WARNING": "1"})


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Measure routes beside their floors, lists, the recorder, deployments. Prints; asserts nothing."""
    _install(session)
    session.run("python", "-m", "benchmarks", *session.posargs)
