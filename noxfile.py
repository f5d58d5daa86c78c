"""The tasks: `nox` runs those marked with * in `nox -l`; `nox -s smoke` runs one.

Arguments after `--` go to pytest: `nox -s suites -- --target embedded --keep-stack -k restart`.
"""

from __future__ import annotations

import functools
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nox

sys.path.insert(0, str(Path(__file__).parent))
try:
    from plumbline.verification.report.run import Run
except ModuleNotFoundError as error:
    sys.exit(f"noxfile.py needs {error.name}: python -m pip install --require-hashes -r requirements/nox.txt")

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.error_on_missing_interpreters = True

# Sessions use their own environments, without Python variables of the caller's shell.
for _name in [name for name in os.environ if name.startswith("PYTHON")]:
    del os.environ[_name]

# uv shall trust the system's certificates, like pip.
os.environ.setdefault("UV_SYSTEM_CERTS", "true")

LOCKED = "requirements/dev.txt"
KUSTOMIZE = "sigs.k8s.io/kustomize/kustomize/v5@v5.7.1"
UNIT = ["benchmarks", "services", "plumbline", "tests/websocket"]
MANIFESTS = ["plumbline/tests/verification/manifests", "plumbline/tests/targets/kubernetes"]
PAGES = "plumbline/tests/verification/docs/pages"
CODE = [".", *(f"services/{name}" for name in ("servicekit", "backend", "data-processor", "log-sink", "baseline"))]
SCRIPTS = [
    "deploy-local.sh",
    "requirements/lock.sh",
    ".ci/run",
    ".ci/engine",
    ".ci/compose",
    "docker/alive.sh",
    "docker/offline/build.sh",
    "docker/postgres/backup.sh",
    "docker/postgres/connect.sh",
    "docker/postgres/dump.sh",
    "docker/postgres/restore-newest.sh",
    "docker/postgres/restore.sh",
    "docker/postgres/start.sh",
    "docker/postgres/throwaway.sh",
    "docker/redis/redis.sh",
]

RUN = Run()
"""Its report: a page, JUnit XML and JSON in test-artifacts/reports."""


def _reported(function: Callable[[nox.Session], None]) -> Callable[[nox.Session], None]:
    """Make a session part of the report."""

    @functools.wraps(function)
    def recorded(session: nox.Session) -> None:
        with RUN.session(session, (function.__doc__ or "").strip()):
            function(session)

    return recorded


def _step(session: nox.Session, guards: str, *command: str, **options: Any) -> None:
    """Run a command that is one check of the report, with what it protects from."""
    with RUN.step(" ".join(command), guards) as output:
        session.run(*command, stdout=output, **options)


def _install(session: nox.Session) -> None:
    session.install("--require-hashes", "-r", LOCKED)


def _python(session: nox.Session, *arguments: str) -> None:
    # After Ctrl-C, what was started is stopped first: a stack takes a while.
    session.run("python", "-m", *arguments, interrupt_timeout=60, terminate_timeout=30)


def _pytest(session: nox.Session, *arguments: str) -> None:
    _python(session, "pytest", *arguments, *session.posargs)


def _pytest_in_processes(session: nox.Session, *arguments: str) -> None:
    # One process more than cores, because tests wait for servers; at most eight, because each starts its own. Options
    # such as `-k` or `--pdb` choose few tests, which one process has done before several have started.
    processes = [] if session.posargs else ["-n", str(min((os.cpu_count() or 1) + 1, 8))]
    _pytest(session, *arguments, *processes)


@nox.session
@_reported
def lint(session: nox.Session) -> None:
    """Ruff, mypy (strict), import contracts, shellcheck."""
    _install(session)
    _step(session, "frequent mistakes and insecure calls in Python", "ruff", "check", ".")
    _step(session, "differences that are about layout alone", "ruff", "format", "--check", ".")
    _step(session, "values of a wrong type, on paths that no test takes, too", "mypy")
    code = os.pathsep.join(CODE)
    _step(session, "parts that lean on each other", "lint-imports", "--no-logo", env={"PYTHONPATH": code})
    _step(session, "mistakes in shell scripts, such as unquoted paths", "shellcheck", *SCRIPTS)


@nox.session
@_reported
def unit(session: nox.Session) -> None:
    """Unit tests, in several processes, each with a temporary Postgres and Redis."""
    _install(session)
    # Without arguments, the sessions `manifests` and `docs` run theirs.
    elsewhere = [] if session.posargs else [f"--ignore={folder}" for folder in (*MANIFESTS, PAGES)]
    _pytest_in_processes(session, *UNIT, *elsewhere)


@nox.session(default=False)
@_reported
def coverage(session: nox.Session) -> None:
    """Show which lines the unit tests run; no figure makes it fail."""
    _install(session)
    _pytest_in_processes(session, *UNIT, "--cov", "--cov-report=term:skip-covered")
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(summary).open("a") as page:
            session.run("coverage", "report", "--format=markdown", stdout=page)


@nox.session
@_reported
def manifests(session: nox.Session) -> None:
    """Render and check every overlay, and deploy to a fake cluster; needs kubectl, kustomize or Go."""
    _install(session)
    can_render = _renderer(session)
    if can_render:
        guards = "manifests that a cluster refuses, or that leave a part unreachable, unsafe or without its settings"
        _step(session, guards, "python", "-m", "plumbline.verification.manifests")
    _pytest_in_processes(session, *MANIFESTS)
    if not can_render:
        session.skip("nothing was rendered: install kubectl 1.27 or newer, or kustomize 5, or Go to build it")


def _renderer(session: nox.Session) -> bool:
    """Return whether kubectl or kustomize is installed, after trying to build it; neither is on PyPI."""
    if shutil.which(os.environ.get("PLUMBLINE_KUBECTL", "kubectl")) or shutil.which("kustomize"):
        return True
    if not shutil.which("go"):
        return False
    session.run("go", "install", KUSTOMIZE, env={"GOBIN": session.bin}, external=True)
    return True


@nox.session
@_reported
def suites(session: nox.Session) -> None:
    """Verify a new stack, which is removed afterwards: smoke and logs, including disruptive checks."""
    _install(session)
    _pytest(session, "tests/smoke", "tests/logs", "--own-stack")


@nox.session
@_reported
def sample(session: nox.Session) -> None:
    """Check the checks: put one fault of each area into a stack, and see it found."""
    _install(session)
    _python(session, "plumbline.verification.faults", "--sample", "--workers", "1")


@nox.session(default=False)
@_reported
def selfcheck(session: nox.Session) -> None:
    """Check the checks with every fault of the catalogue (`-- -k NAME` for some), which takes a while."""
    _install(session)
    _renderer(session)
    _python(session, "plumbline.verification.faults", *session.posargs)


@nox.session(default=False)
@_reported
def websocket(session: nox.Session) -> None:
    """Compare the WebSocket contract of this release and the baseline through Caddy: a new stack goes back."""
    _install(session)
    _pytest(session, "tests/websocket", "--own-stack")


@nox.session(default=False)
@_reported
def smoke(session: nox.Session) -> None:
    """Verify the running stack without disrupting it: health, channels, documents, annotations, templates."""
    _install(session)
    _pytest(session, "tests/smoke")


@nox.session(default=False)
@_reported
def logs(session: nox.Session) -> None:
    """Verify the recorder of the running stack without disrupting it."""
    _install(session)
    _pytest(session, "tests/logs")


@nox.session(default=False)
@_reported
def accuracy(session: nox.Session) -> None:
    """Measure how well a new stack reads the values of 300 pages with known answers (`-- --pages 50` for fewer)."""
    _install(session)
    _python(session, "tests.data", *session.posargs)


@nox.session(default=False)
@_reported
def contract(session: nox.Session) -> None:
    """Send generated requests to a new stack: no 5xx, no answer that OpenAPI does not declare (`-- --examples 5`)."""
    _install(session)
    _python(session, "tests.contract", *session.posargs)


@nox.session(default=False)
@_reported
def upgrade(session: nox.Session) -> None:
    """Upgrade from the release before: its smoke suite on the newer schema, then this one's; and back again."""
    _install(session)
    _pytest(session, "tests/upgrade", "-rA")


@nox.session(default=False)
@_reported
def release(session: nox.Session) -> None:
    """Make a release of this checkout (`-- 0.2.0`): changelog, version, commit, tag. Pushes nothing."""
    _install(session)
    _python(session, "plumbline.releases", *session.posargs)


@nox.session(default=False)
@_reported
def drills(session: nox.Session) -> None:
    """Disturb a new stack while clients use it, and count what is lost (`-- --target compose`, `-- -k redis`)."""
    _install(session)
    _python(session, "plumbline.verification.drills", *session.posargs)


@nox.session(default=False)
@_reported
def cluster(session: nox.Session) -> None:
    """Verify and disturb a stack on a new cluster of three nodes on this machine; needs root (`-- -k drain`)."""
    _install(session)
    _python(session, "plumbline.verification.cluster", *session.posargs)


@nox.session
@_reported
def docs(session: nox.Session) -> None:
    """Build the docs strictly; fail if a page is outdated, or says something else than the code."""
    _install(session)
    outdated = "pages that say something else than the code"
    _step(session, outdated, "python", "-m", "plumbline.verification.docs", "--check")
    _python(session, "pytest", "-q", PAGES)
    # Not --quiet, which hides warnings from --strict, too. The variable hides a notice of the theme.
    _step(
        session,
        "dead links, and pages that no other page leads to",
        "mkdocs",
        "build",
        "--strict",
        env={"NO_MKDOCS_2_WARNING": "1"},
    )


@nox.session(default=False)
@_reported
def bench(session: nox.Session) -> None:
    """Measure routes beside their floors, lists, exports, the recorder, deployments. Prints, asserts nothing."""
    _install(session)
    _python(session, "benchmarks", *session.posargs)
