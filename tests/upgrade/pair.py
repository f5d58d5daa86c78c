"""The release before and this one: how to bring up each, and what is left out of the earlier one's smoke suite."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from plumbline import ROOT
from plumbline.checkout import Checkout
from plumbline.errors import PlumblineError
from plumbline.home import Home
from plumbline.releases import changelog

DEV = "requirements/dev.txt"
SHIMS = Path(__file__).parent / "shims"
SMOKE = "tests/smoke"
SUITE_S = 3600
LEFT_OUT = {
    "tests/smoke/test_schema.py": "compares the schema exactly with that of the earlier release",
}
"""Checks of an earlier release that do not apply to a newer schema, and why."""
_HEALTH = "expects 200 of /health, which answers 503 in 0.1.0 once the schema is newer, although the service serves"
LEFT_OUT_OF = {
    "0.1.0": {
        f"tests/smoke/{name}": _HEALTH
        for name in (
            "test_health.py::test_health_names_service_version_and_deployment[backend-/health]",
            "test_health.py::test_health_names_service_version_and_deployment[data-processor-/data-processor/health]",
            "test_exact_answers.py::test_headers_of_every_kind_of_answer_are_exact[health-GET-/health-200-headers12]",
            "test_exact_answers.py::test_refusals_and_health_have_exactly_their_fields",
            *(
                f"test_isolation.py::test_services_need_the_internal_secret[{service}-{shown}]"
                for service in ("backend", "data-processor")
                for shown in ("None", "", "guessed")
            ),
        )
    }
    | {
        "tests/smoke/test_secrets.py::test_only_the_owner_can_read_the_home": "lists the secret files of 0.1.0, to "
        "which the newer release adds; it compares the whole folder",
    },
}
"""Those that a certain release needs."""
SHIM_OF = {"0.1.0": "newer_schema"}
"""Plugins in tests/upgrade/shims that the suite of a release needs."""
ADJUSTED = {
    "newer_schema": "where the suite or an engine waits until /health answers 200, a 503 for a newer schema counts, too"
}
"""What a plugin changes."""


@dataclass(frozen=True, slots=True)
class Suite:
    """The result of a smoke suite: number of checks by outcome, and the names of those that failed."""

    counts: dict[str, int]
    failed: list[str]


class Release:
    """A release in a folder of its own, with an environment that has its development packages."""

    def __init__(self, folder: Path, version: str, commit: str) -> None:
        self.folder, self.version, self.commit = folder, version, commit
        self.python = sys.executable

    @staticmethod
    def checked_out(folder: Path, commit: str, version: str) -> Release:
        """Clone this repository into `folder`, at a commit. Raises PlumblineError."""
        here = Checkout()
        try:
            here.git("cat-file", "-e", f"{commit}^{{commit}}")
        except PlumblineError as error:
            raise PlumblineError(f"the commit of {version} is not here: {error}", "git fetch --unshallow") from None
        here.git("clone", "--quiet", "--shared", "--no-checkout", str(ROOT), str(folder))
        Checkout(folder).git("checkout", "--quiet", "--detach", commit)
        images = ROOT / "docker" / ".env"  # names base images, where no registry has them
        if images.exists():
            shutil.copy(images, folder / "docker" / ".env")
        return Release(folder, version, commit)

    def use_its_packages(self, folder: Path) -> None:
        """Install the release's own packages, unless they are those of this environment."""
        if (self.folder / DEV).read_text() == (ROOT / DEV).read_text():
            return
        venv.create(folder, with_pip=True)
        self.python = str(folder / "bin" / "python")
        own = {"VIRTUAL_ENV": str(folder), "UV_SYSTEM_CERTS": "true"}
        self.run("pip", "install", "--quiet", "--require-hashes", "--requirement", "requirements/bootstrap.txt")
        self.run("uv", "pip", "install", "--quiet", "--require-hashes", "--requirement", DEV, env=own)

    def run(self, *arguments: str, check: bool = True, env: dict[str, str] | None = None) -> str:
        """Run a module of the release, print what it prints, and return it. Raises AssertionError if `check` fails."""
        return self._run([self.python, "-m", *arguments], env or {}, check=check)

    def deploy_local(self, *arguments: str) -> str:
        """Run the release's own ./deploy-local.sh. Raises AssertionError if it fails."""
        return self._run(["./deploy-local.sh", *arguments], {}, check=True)

    def _run(self, command: list[str], more: dict[str, str], *, check: bool) -> str:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST"))}
        done = subprocess.run(
            command, cwd=self.folder, env=environment | more, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, check=False, timeout=SUITE_S,
        )  # fmt: skip
        print(f"$ {' '.join(command)}\n{done.stdout}")
        assert not check or done.returncode == 0, f"exit code {done.returncode} of {' '.join(command)}"
        return done.stdout

    def up(self, home: Home, *arguments: str) -> None:
        """Bring up the stack."""
        self.run("plumbline", "up", "--home", str(home.root), *arguments)

    def smoke(
        self, home: Home, report: Path, left_out: Iterable[str] = (), plugin: str = "", paths: Iterable[str] = (SMOKE,)
    ) -> Suite:
        """Run the release's own smoke suite on the running stack, without the checks that are left out."""
        chosen = [f"--deselect={name}" for name in left_out]
        options = [f"--home={home.root}", f"--junitxml={report}", "-pno:cacheprovider", "-q", *chosen]
        more = {}
        if plugin:
            # In the checkout and the environment, so that suites which the suite itself starts load it, too.
            shutil.copy(SHIMS / f"{plugin}.py", self.folder)
            more = {"PYTEST_ADDOPTS": f"-p {plugin}"}
        report.unlink(missing_ok=True)
        self.run("pytest", *paths, *options, check=False, env=more)
        if not report.exists():
            raise PlumblineError(f"the smoke suite of {self.version} did not run: see above")
        return _result(report)


def earlier_release() -> changelog.Release:
    """Return the release before this checkout, from the changelog."""
    return changelog.releases(changelog.read())[0]


def _result(report: Path) -> Suite:
    counts: Counter[str] = Counter()
    failed = []
    for case in ElementTree.parse(report).iter("testcase"):
        bad = [one for one in case if one.tag in ("failure", "error")]
        skipped = case.find("skipped") is not None
        counts["failed" if bad else "skipped" if skipped else "passed"] += 1
        if bad:
            failed.append(f"{case.get('classname')}::{case.get('name')}: {bad[0].get('message', '')[:300]}")
    return Suite(dict(counts), failed)
