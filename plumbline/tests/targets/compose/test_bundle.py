"""A release in one archive: what is refused, and what comes up where there is no network at all."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from plumbline import ROOT, bundle
from plumbline.errors import PlumblineError
from plumbline.home import Home
from plumbline.plan import COMPONENTS
from plumbline.targets.compose.target import ComposeTarget

NAMES = ("manifest.json", *bundle.DESCRIPTION, "images.tar.gz")


def archive_of(folder: Path, **contents: bytes) -> Path:
    path = folder / "made-up.tar"
    with tarfile.open(path, "w") as archive:
        for name in NAMES:
            if name in contents:
                (folder / name).parent.mkdir(exist_ok=True)
                (folder / name).write_bytes(contents[name])
                archive.add(folder / name, name)
    return path


def refusal(archive: Path, home: Path) -> str:
    with pytest.raises(PlumblineError) as error:
        bundle.load(archive, Home(home))
    assert not (home / "bundle").exists()
    return str(error.value)


def test_what_is_no_bundle_is_refused(tmp_path: Path) -> None:
    assert "no bundle at" in refusal(tmp_path / "absent.tar", tmp_path / "home")
    rubbish = tmp_path / "rubbish.tar"
    rubbish.write_bytes(b"rubbish" * 1000)
    assert "not a whole bundle" in refusal(rubbish, tmp_path / "home")
    assert "not a whole bundle" in refusal(archive_of(tmp_path, **{NAMES[0]: b'{"format": 1}'}), tmp_path / "home")


def test_another_format_and_a_changed_file_are_refused(tmp_path: Path) -> None:
    rest = dict.fromkeys(NAMES[1:], b"services: {}")
    of_the_future = archive_of(tmp_path, **{"manifest.json": b'{"format": 99}'})
    assert "bundle format 99" in refusal(of_the_future, tmp_path / "home")
    manifest = {"format": 1, "images": {}, "files": {"compose.yaml": "0" * 64}}
    changed = archive_of(tmp_path, **{"manifest.json": json.dumps(manifest).encode()}, **rest)
    assert "compose.yaml in" in refusal(changed, tmp_path / "home")


def test_a_bundle_carries_every_file_that_compose_reads() -> None:
    services = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())["services"].values()
    read = {file for service in services for file in service.get("env_file", [])}
    assert read, "without defaults this test sees nothing"
    assert read < set(bundle.DESCRIPTION)


class ClosedMachine:
    """An engine of its own, with nothing in it, in a network namespace that leads nowhere."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._socket = f"unix://{folder}/docker.sock"
        command = (
            f"ip link set lo up; exec dockerd --host {self._socket} --data-root {folder}/data --exec-root {folder}/run"
            f" --pidfile {folder}/docker.pid"
        )
        with (folder / "dockerd.log").open("w") as log:
            self.engine = subprocess.Popen(
                ["unshare", "--net", "sh", "-c", command], stdout=log, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + 60
        while self.run("docker", "version").returncode != 0:
            if self.engine.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"no engine in a closed network:\n{(folder / 'dockerd.log').read_text()[-2000:]}")
            time.sleep(0.1)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["nsenter", f"--net=/proc/{self.engine.pid}/ns/net", *command],
            env={**os.environ, "DOCKER_HOST": self._socket, "PYTHONPATH": f"{ROOT}:{ROOT}/services/servicekit"},
            cwd=ROOT, capture_output=True, text=True, check=False, timeout=400,
        )  # fmt: skip

    def plumbline(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, "-m", "plumbline", *arguments)

    def end(self) -> None:
        self.engine.terminate()
        self.engine.wait(60)


@pytest.fixture
def closed() -> Iterator[ClosedMachine]:
    if os.geteuid() != 0 or shutil.which("dockerd") is None:
        reason = "needs root and dockerd, for an engine in a network namespace of its own"
        if os.environ.get("PLUMBLINE_REQUIRE_ENGINE") == "1":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    folder = Path(tempfile.mkdtemp(prefix="plumbline-closed-"))
    machine = ClosedMachine(folder)
    try:
        yield machine
    finally:
        machine.end()
        shutil.rmtree(folder)


@pytest.mark.engine
def test_a_bundle_comes_up_where_there_is_no_network(running: ComposeTarget, closed: ClosedMachine) -> None:
    archive = closed.folder / "bundle.tar"
    written = bundle.write(running.home, archive)
    assert len(written["images"]) == len(COMPONENTS)
    assert "default" not in closed.run("ip", "route").stdout
    assert closed.run("docker", "image", "ls", "--quiet").stdout == ""

    home = str(closed.folder / "home")
    loaded = closed.plumbline("bundle", "load", str(archive), "--home", home, "--port", "0")
    assert loaded.returncode == 0, loaded.stdout + loaded.stderr
    try:
        again = closed.plumbline("up", "--home", home)
        assert "nothing changed" in again.stdout, again.stdout + again.stderr
        proof = closed.run(
            sys.executable, "-m", "pytest", "-q", "tests/smoke/test_health.py", "tests/smoke/test_documents.py",
            "--home", home,
        )  # fmt: skip
        assert proof.returncode == 0, proof.stdout[-4000:]
        assert "reusing the stack" in proof.stdout
    finally:
        removed = closed.plumbline("reset", "--yes", "--home", home)
    assert removed.returncode == 0, removed.stderr
