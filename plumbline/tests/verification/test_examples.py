"""The programs of docs/examples answer a mistake with a sentence."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from plumbline import ROOT
from plumbline.net import free_port

EXAMPLES = ROOT / "docs" / "examples"
CALLS = {
    "chat.py": (1, "Hello"),
    "make_template.py": (str(EXAMPLES / "invoice.json"), "DOCUMENT"),
    "read_document.py": ("Invoices", "DOCUMENT", "values.csv"),
    "show_words.py": ("DOCUMENT",),
}


def run(name: str, *arguments: object, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-B", str(EXAMPLES / name), *map(str, arguments)]
    return subprocess.run(
        command, cwd=folder, input="a password\n", capture_output=True, text=True, check=False, timeout=60
    )


def test_every_program_is_here() -> None:
    programs = {path.name for path in EXAMPLES.glob("*.py") if "asked_password())" in path.read_text()}
    assert programs == {*CALLS}


@pytest.mark.parametrize("name", CALLS)
def test_a_mistake_is_answered_with_a_sentence(name: str, tmp_path: Path) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    arguments = [str(one) for one in CALLS[name]]
    said = {
        "usage": run(name, folder=tmp_path).stderr,
        "file": run(name, address, "ada", *arguments, folder=tmp_path).stderr,
    }
    (tmp_path / "DOCUMENT").write_text("x")
    said["stack"] = run(name, address, "ada", *arguments, folder=tmp_path).stderr
    assert said["usage"].startswith(f"usage: {name} ADDRESS USERNAME ")
    if "DOCUMENT" in arguments:
        assert said["file"] == "DOCUMENT cannot be read: No such file or directory\n"
    assert said["stack"].startswith(f"{address} cannot be reached: ")
    assert all(one.count("\n") == 1 for one in said.values()), said


def test_an_old_node_is_told_what_it_lacks(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node.js is not installed")
    # As in a version that has none.
    (tmp_path / "old.mjs").write_text("delete globalThis.WebSocket;\n")
    command = [node, "--import", str(tmp_path / "old.mjs"), str(EXAMPLES / "chat.mjs")]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert done.stderr.endswith("has no WebSocket: this needs Node.js 22 or newer.\n"), done.stderr
