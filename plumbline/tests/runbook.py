"""The shell blocks of the pages that say how to operate a stack, and a checkout in which tests run them in order.

A block that cannot be run has the reason before it, in a comment of the page's source:

    <!-- skip: next "needs a registry" -->
    <!-- skip: next if(target == "compose", reason="is about files of target embedded") -->

What a reader has done between two blocks stands in a block that the page does not show:

    <!-- invisible-code-block: sh
    git checkout --quiet NEW_RELEASE
    -->
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import SkipTest

import pytest
from sybil import Document, Example
from sybil.parsers.markdown import CodeBlockParser, SkipParser

from plumbline import ROOT
from plumbline.backups import revisions
from plumbline.components import BACKEND, DATA_PROCESSOR

TARGETS = ("embedded", "compose", "kubernetes")
PAGES: dict[str, tuple[str, ...]] = {
    "backup.md": TARGETS,
    "rollback.md": TARGETS,
    "baseline.md": TARGETS,
    "operation.md": TARGETS,
    "one-machine.md": ("embedded",),
    "containers.md": ("compose",),
    "kubernetes.md": ("kubernetes",),
}
"""Page to the targets on which it is run, in this order, on one stack per target."""
NEW_RELEASE = "NEW_RELEASE"
"""A branch of the checkout whose release has a migration more in each chain."""
_NEW_TABLE = "notes_of_the_runbook"
_TIMEOUT_S = 900
_CONFIRMATION = ".plumbline\n"
"""The name of the home, which some commands want to be typed."""


@dataclass(frozen=True, slots=True)
class Block:
    """A shell block of a page. `skipped`: why it cannot be run."""

    page: str
    line: int
    text: str
    skipped: str = ""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: Path, target: str) -> list[Block]:
    """Return the shell blocks of a page as they are on a target, also those that it does not show."""
    found: list[Block] = []

    def keep(example: Example, skipped: str = "") -> None:
        found.append(Block(page.name, example.line, str(example.parsed), skipped))

    document = Document.parse(str(page), CodeBlockParser("sh", keep), SkipParser())
    document.namespace["target"] = target
    for example in document:
        try:
            example.evaluate()
        except SkipTest as reason:
            keep(example, str(reason))
    return found


def runbook(target: str) -> list[object]:
    """Return a parameter of pytest for each block that this target runs."""
    return [
        pytest.param(block, id=str(block), marks=[pytest.mark.skip(reason=block.skipped)] if block.skipped else [])
        for page, targets in PAGES.items()
        if target in targets
        for block in blocks(ROOT / "docs" / page, target)
    ]


class Checkout:
    """A copy of this checkout with two releases, and a stack in its `.plumbline`."""

    def __init__(self, root: Path, environment: dict[str, str], prepare: Callable[[Path], None]) -> None:
        self.root = root
        self.environment = {**os.environ, **environment, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
        self.failed: Block | None = None
        self._copy()
        prepare(root)
        self._commit("main", "The release that runs")
        self._add_migrations()
        self._commit(NEW_RELEASE, "A newer release")
        self._git("checkout", "--quiet", "main")

    def _git(self, *arguments: str, cwd: Path | None = None) -> str:
        author = ["-c", "user.name=tests", "-c", "user.email=tests@example.org", "-c", "advice.detachedHead=false"]
        command = ["git", *author, *arguments]
        return subprocess.run(
            command, cwd=cwd or self.root, env=self.environment, capture_output=True, text=True, check=True
        ).stdout

    def _copy(self) -> None:
        """Copy the files of this checkout, also those that are not committed, and the environment that runs them."""
        names = self._git("ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT).split("\0")
        for name in filter(None, names):
            if (ROOT / name).is_file():
                (self.root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, self.root / name)
        if (base_images := ROOT / "docker" / ".env").exists():
            shutil.copy(base_images, self.root / "docker")
        venv = self.root / ".venv"
        venv.mkdir()
        for part in Path(sys.prefix).iterdir():
            if part.is_dir():
                (venv / part.name).symlink_to(part)
        shutil.copy(Path(sys.prefix) / "pyvenv.cfg", venv)
        sources = ("requirements/local.txt", "requirements/bootstrap.txt", "./deploy-local.sh")
        sums = subprocess.run(["cksum", *sources], cwd=self.root, capture_output=True, text=True, check=True).stdout
        (venv / ".installed-from").write_text("".join(f"{' '.join(line.split()[:2])}\n" for line in sums.splitlines()))
        self._git("init", "--quiet")

    def _commit(self, branch: str, message: str) -> None:
        self._git("checkout", "--quiet", "-b", branch)
        self._git("add", "--all")
        self._git("commit", "--quiet", f"--message={message}")

    def _add_migrations(self) -> None:
        services = self.root / "services"
        newest = {name: revisions.known(name)[-1] for name in (BACKEND.name, DATA_PROCESSOR.name)}
        (services / "backend/backend/migrations/versions/0998_notes.py").write_text(f'''\
import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "0998_notes", "{newest[BACKEND.name]}", None, None


def upgrade() -> None:
    op.create_table("{_NEW_TABLE}", sa.Column("id", sa.BigInteger, primary_key=True))


def downgrade() -> None:
    op.drop_table("{_NEW_TABLE}")
''')
        (services / "data-processor/data_processor/migrations/0998_notes.py").write_text(f'''\
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("data_processor", "{newest[DATA_PROCESSOR.name]}")]
    operations = [migrations.RunSQL("CREATE TABLE {_NEW_TABLE}_too (id bigint)", "DROP TABLE {_NEW_TABLE}_too")]
''')

    def deploy_local(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run ./deploy-local.sh here."""
        command = ["./deploy-local.sh", *arguments]
        return subprocess.run(
            command, cwd=self.root, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            check=False, timeout=_TIMEOUT_S,
        )  # fmt: skip

    def run(self, block: Block) -> None:
        """Run a block here, unless an earlier one failed."""
        if self.failed:
            pytest.fail(f"not run, because {self.failed} failed", pytrace=False)
        self.failed = block
        run(block, self.root, self.environment)
        self.failed = None


def run(block: Block, folder: Path, environment: dict[str, str]) -> None:
    """Run every command of a block in a folder, as a reader would. Fails with what they said."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.text], cwd=folder, env=environment,
        input=_CONFIRMATION, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False, timeout=_TIMEOUT_S,
    )  # fmt: skip
    print(done.stdout)
    if done.returncode != 0:
        said = f"docs/{block} ended with exit code {done.returncode}:\n{block.text}\n{done.stdout}"
        pytest.fail(said, pytrace=False)


def checkout(
    folder: Path, target: str, prepare: Callable[[Path], None] = lambda _: None, **environment: str
) -> Iterator[Checkout]:
    """Yield a checkout with a running stack of a target, which is removed afterwards. `prepare` adds files to it."""
    found = Checkout(folder, environment, prepare)
    try:
        up = found.deploy_local("up", "--target", target, "--port", "0")
        assert up.returncode == 0, up.stdout + up.stderr
        yield found
    finally:
        gone = found.deploy_local("reset", "--yes")
    assert gone.returncode == 0, gone.stdout + gone.stderr
