"""A copy of the checkout that a test may change, and the generator run in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from plumbline import ROOT
from plumbline.verification import accuracy
from plumbline.verification.docs.pages import upgrades
from plumbline.verification.docs.site import BLOCKS

_READ = ("plumbline", "services", "docker", "requirements")
_JUNK = shutil.ignore_patterns("__pycache__", "tests", ".hypothesis", "*.pyc")


class Checkout:
    """A checkout's folder, with the generator that is in it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def generate(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `python -m plumbline.verification.docs` here."""
        return subprocess.run(
            [sys.executable, "-m", "plumbline.verification.docs", *arguments],
            cwd=self.root,
            env={**os.environ, "PYTHONPATH": str(self.root)},
            capture_output=True,
            text=True,
            check=False,
        )

    def replace(self, path: str, old: str, new: str) -> None:
        """Change one place of a file; fail if it is not there."""
        file = self.root / path
        text = file.read_text()
        assert old in text, f"{path} no longer holds {old!r}: choose another place to change"
        file.write_text(text.replace(old, new, 1))

    def page(self, name: str) -> Path:
        """Return the path of a generated page."""
        return self.root / "docs" / "generated" / name


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A copy whose pages are up to date, even if those of the checkout are not."""
    copy = Checkout(tmp_path_factory.mktemp("pristine"))
    for name in _READ:
        shutil.copytree(ROOT / name, copy.root / name, ignore=_JUNK)
    shutil.copytree(ROOT / "docs" / "decisions", copy.root / "docs" / "decisions")
    for record in (accuracy.RECORD, upgrades.RECORD):
        (copy.root / record.relative_to(ROOT)).parent.mkdir(parents=True)
        shutil.copy(record, copy.root / record.relative_to(ROOT))
    for name, _ in BLOCKS:
        (copy.root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy.root / name)
    done = copy.generate()
    assert done.returncode == 0, done.stderr
    return copy


@pytest.fixture
def checkout(pristine: Checkout, tmp_path: Path) -> Checkout:
    """A copy for one test to spoil."""
    shutil.copytree(pristine.root, tmp_path / "checkout")
    return Checkout(tmp_path / "checkout")
