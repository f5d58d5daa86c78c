"""The pages that say how to change Plumbline: their patches apply to this checkout, and its checks accept them."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from unittest import SkipTest

import pytest
from sybil import Document, Example
from sybil.parsers.markdown import CodeBlockParser, SkipParser

from plumbline.backups import revisions
from plumbline.components import BACKEND
from plumbline.tests import runbook
from plumbline.tests.runbook import DOCS

PAGES = ("setting", "table", "component", "check")
ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "GIT_PAGER": "cat", "PYTHONDONTWRITEBYTECODE": "1",
}  # fmt: skip
SESSIONS = ("docs", "lint", "unit")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of this checkout, in which the sessions of nox have their environments."""
    environment = {**os.environ, **ENVIRONMENT}
    runbook.copy_checkout(tmp_path, environment)
    (tmp_path / ".nox").mkdir()
    for session in SESSIONS:
        (tmp_path / ".nox" / session).symlink_to(tmp_path / ".venv")
    for arguments in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "--message=The checkout")):
        runbook.git(tmp_path, environment, *arguments)
    return tmp_path


def _filled_in(text: str) -> str:
    newest = revisions.known(BACKEND.name)[-1]
    number = re.match(r"\d+", newest)
    assert number, newest
    return text.replace("NUMBER", f"{int(number[0]) + 1:04}").replace("NEWEST", newest)


@pytest.mark.parametrize("page", PAGES)
def test_the_checks_accept_what_a_page_says(checkout: Path, page: str) -> None:
    file = DOCS / "how-to" / f"{page}.md"
    environment = {**os.environ, **ENVIRONMENT}
    for name in [name for name in environment if name.startswith("PYTEST_")]:
        del environment[name]
    done: list[str] = []

    def apply(example: Example) -> None:
        where = f"docs/{runbook.name(file)}:{example.line}"
        patch = subprocess.run(
            ["git", "apply", "-"], cwd=checkout, env=environment, input=_filled_in(str(example.parsed)),
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert patch.returncode == 0, f"{where}: the patch does not apply: {patch.stderr}Correct the page"
        done.append("patch")

    def run(example: Example) -> None:
        runbook.run(runbook.block(file, example), checkout, environment)
        done.append("commands")

    parsers = (CodeBlockParser("diff", apply), CodeBlockParser("sh", run), SkipParser())
    for example in Document.parse(str(file), *parsers):
        try:
            example.evaluate()
        except SkipTest:
            continue
    assert {*done} == {"patch", "commands"}, f"docs/how-to/{page}.md needs patches and commands, and has {done}"
