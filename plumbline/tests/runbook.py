"""The shell blocks of the pages that say how to operate a stack, and a checkout in which tests run them in order.

A block that cannot be run has the reason before it, in a comment of the page's source:

    <!-- skip: next "needs a registry" -->
    <!-- skip: next if(target == "compose", reason="is about files of target embedded") -->

What a reader has done between two blocks stands in a block that the page does not show:

    <!-- invisible-code-block: sh
    git checkout --quiet NEW_RELEASE
    -->

The address http://127.0.0.1:8080 stands for that of the stack. A `text` block right after a shell block is its output:
`…` in a line stands for anything, and a line of it alone for any lines.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from unittest import SkipTest

import pytest
from servicekit import facts
from sybil import Document, Example
from sybil.parsers.markdown import CodeBlockParser, SkipParser

from plumbline import ROOT
from plumbline.backups import revisions
from plumbline.components import BACKEND, DATA_PROCESSOR

DOCS = ROOT / "docs"
TARGETS = ("embedded", "compose", "kubernetes")
PAGES: dict[str, tuple[str, ...]] = {
    "tutorial.md": ("embedded", "compose"),
    "how-to/template.md": ("embedded",),
    "how-to/connect.md": ("embedded", "compose"),
    "calls.md": ("embedded",),
    "backup.md": TARGETS,
    "rollback.md": TARGETS,
    "baseline.md": TARGETS,
    "operation.md": TARGETS,
    "one-machine.md": ("embedded",),
    "containers.md": ("compose",),
    "kubernetes.md": ("kubernetes",),
}
"""Page below docs/ to the targets on which it is run, in this order, on one stack per target."""
NEW_RELEASE = "NEW_RELEASE"
"""A branch of the checkout whose release has a migration more in each chain."""
_NEW_TABLE = "notes_of_the_runbook"
_TIMEOUT_S = 900
_CONFIRMATION = ".plumbline\n"
"""The name of the home, which some commands want to be typed."""
_ADDRESS = f"http://127.0.0.1:{facts.FRONT_PORT}"
_PASTED = "--- the next block ---"
"""What a shell prints between the blocks that are pasted into it."""
_OUTPUT = re.compile(r"\s*^```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """A shell block of a page. `skipped`: why it cannot be run. `output`: what the page says that it prints."""

    page: str
    line: int
    text: str
    skipped: str = ""
    output: str | None = None

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def name(page: Path) -> str:
    """Return the path of a page below docs/."""
    return page.relative_to(DOCS).as_posix() if page.is_relative_to(DOCS) else page.name


def block(page: Path, example: Example, skipped: str = "") -> Block:
    """Return a shell block of a page."""
    shown = _OUTPUT.match(example.document.text, example.region.end)
    return Block(name(page), example.line, str(example.parsed), skipped, shown and shown[1])


def blocks(page: Path, target: str) -> list[Block]:
    """Return the shell blocks of a page as they are on a target, also those that it does not show."""
    found: list[Block] = []

    def keep(example: Example, skipped: str = "") -> None:
        found.append(block(page, example, skipped))

    document = Document.parse(str(page), CodeBlockParser("sh", keep), SkipParser())
    document.namespace.update(target=target, node=_has_node())
    for example in document:
        try:
            example.evaluate()
        except SkipTest as reason:
            keep(example, str(reason))
    return found


@cache
def _has_node() -> bool:
    """Return whether there is a Node.js with WebSockets, as from version 22 on."""
    program = shutil.which("node")
    said = program and subprocess.run([program, "-p", "typeof WebSocket"], capture_output=True, text=True, check=False)
    return bool(said) and said.stdout.strip() == "function"


def runbook(target: str) -> list[object]:
    """Return a parameter of pytest for each block that this target runs."""
    return [
        pytest.param(block, id=str(block), marks=[pytest.mark.skip(reason=block.skipped)] if block.skipped else [])
        for page, targets in PAGES.items()
        if target in targets
        for block in blocks(DOCS / page, target)
    ]


def git(folder: Path, environment: dict[str, str], *arguments: str) -> str:
    """Run git in a folder and return what it prints."""
    author = ["-c", "user.name=tests", "-c", "user.email=tests@example.org", "-c", "advice.detachedHead=false"]
    command = ["git", *author, *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return done.stdout


def copy_checkout(root: Path, environment: dict[str, str]) -> None:
    """Copy the files of this checkout, also those that are not committed, and the environment that runs them."""
    names = git(ROOT, environment, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, root / name)
    if (base_images := ROOT / "docker" / ".env").exists():
        shutil.copy(base_images, root / "docker")
    venv = root / ".venv"
    venv.mkdir()
    for part in Path(sys.prefix).iterdir():
        if part.is_dir():
            (venv / part.name).symlink_to(part)
    shutil.copy(Path(sys.prefix) / "pyvenv.cfg", venv)
    sources = ("requirements/local.txt", "requirements/bootstrap.txt", "./deploy-local.sh")
    sums = subprocess.run(["cksum", *sources], cwd=root, capture_output=True, text=True, check=True).stdout
    (venv / ".installed-from").write_text("".join(f"{' '.join(line.split()[:2])}\n" for line in sums.splitlines()))


class Checkout:
    """A copy of this checkout with two releases, and a stack in its `.plumbline`."""

    def __init__(self, root: Path, environment: dict[str, str], prepare: Callable[[Path], None]) -> None:
        self.root = root
        self.environment = {**os.environ, **environment, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
        self.failed: Block | None = None
        self.address = _ADDRESS
        copy_checkout(root, self.environment)
        self._git("init", "--quiet")
        prepare(root)
        self._commit("main", "The release that runs")
        self._add_migrations()
        self._commit(NEW_RELEASE, "A newer release")
        self._git("checkout", "--quiet", "main")

    def _git(self, *arguments: str) -> str:
        return git(self.root, self.environment, *arguments)

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
        run(block, self.root, self.environment, self.address)
        self.failed = None

    def follow(self, page: str, target: str) -> None:
        """Paste the blocks of a page into one shell."""
        follow(
            [one for one in blocks(DOCS / page, target) if not one.skipped], self.root, self.environment, self.address
        )

    def note_address(self) -> None:
        """Remember where the front door of the stack is."""
        self.address = json.loads(self.deploy_local("status", "--json").stdout)["base_url"]


def run(block: Block, folder: Path, environment: dict[str, str], address: str = _ADDRESS) -> None:
    """Run every command of a block in a folder, as a reader would. Fails with what they said."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.text.replace(_ADDRESS, address)], cwd=folder, env=environment,
        input=_CONFIRMATION, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False, timeout=_TIMEOUT_S,
    )  # fmt: skip
    print(done.stdout)
    if done.returncode != 0:
        said = f"docs/{block} ended with exit code {done.returncode}:\n{block.text}\n{done.stdout}"
        pytest.fail(said, pytrace=False)
    _compare(block, done.stdout.replace(address, _ADDRESS))


def follow(found: list[Block], folder: Path, environment: dict[str, str], address: str = _ADDRESS) -> None:
    """Paste blocks into one shell, one after another, and compare what each prints with its page."""
    pasted = "".join(f"{one.text}\necho '{_PASTED}'\n" for one in found)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-s"], cwd=folder, env=environment, input=pasted.replace(_ADDRESS, address),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=_TIMEOUT_S,
    )  # fmt: skip
    print(done.stdout)
    *printed, rest = done.stdout.replace(address, _ADDRESS).split(f"{_PASTED}\n")
    for one, said in zip(found, printed, strict=False):
        _compare(one, said)
    if len(printed) < len(found):
        where = f"docs/{found[len(printed)]}"
        pytest.fail(f"the shell ended in {where} with exit code {done.returncode}:\n{rest}", pytrace=False)


def _compare(block: Block, printed: str) -> None:
    if block.output is not None and not _is_output(block.output, printed):
        said = f"docs/{block} prints something else than the page shows:\n{block.output}\nprinted:\n{printed}"
        pytest.fail(said, pytrace=False)


def _is_output(shown: str, printed: str) -> bool:
    pattern = ""
    for line in shown.splitlines():
        pattern += r"(?:.*\n)*?" if line.strip() == "…" else ".*?".join(map(re.escape, line.split("…"))) + r" *\n"
    return re.fullmatch(pattern, printed if printed.endswith("\n") else f"{printed}\n") is not None


def checkout(
    folder: Path, target: str, prepare: Callable[[Path], None] = lambda _: None, **environment: str
) -> Iterator[Checkout]:
    """Yield a checkout with a running stack of a target, which is removed afterwards. `prepare` adds files to it."""
    found = Checkout(folder, environment, prepare)
    try:
        up = found.deploy_local("up", "--target", target, "--port", "0")
        assert up.returncode == 0, up.stdout + up.stderr
        found.note_address()
        yield found
    finally:
        gone = found.deploy_local("reset", "--yes")
    assert gone.returncode == 0, gone.stdout + gone.stderr
