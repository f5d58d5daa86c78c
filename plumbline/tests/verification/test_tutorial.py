"""The invoices of the tutorial are made with the packages of a stack alone: its reader has no others."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

from plumbline import ROOT

MAKE = """
import runpy, sys
sys.modules.update(dict.fromkeys({missing!r}))
sys.argv = ["tests.data", "--write", {folder!r}, "--pages", "5", "-k", "whole"]
runpy.run_module("tests.data", run_name="__main__")
"""


def _locked(file: str) -> set[str]:
    names = re.findall(r"^([A-Za-z0-9._-]+)==", (ROOT / "requirements" / file).read_text(), re.MULTILINE)
    return {re.sub(r"[._-]+", "-", name).lower() for name in names}


def test_invoices_are_made_with_the_packages_of_a_stack(tmp_path: Path) -> None:
    only_ours = _locked("dev.txt") - _locked("local.txt")
    missing = [
        module
        for module, owners in packages_distributions().items()
        if {re.sub(r"[._-]+", "-", owner).lower() for owner in owners} <= only_ours
    ]
    assert {"pytest", "websockets"} <= {*missing}
    script = MAKE.format(missing=missing, folder=str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert [file.suffix for file in sorted(tmp_path.iterdir())] == [".pdf", ".pdf", ".png", ".webp"]
