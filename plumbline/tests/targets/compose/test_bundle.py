"""A release in one archive: which archives are refused, and a deployment without any network."""

from __future__ import annotations

import hashlib
import io
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
from typing import Any

import pytest
import yaml
from servicekit import facts

from plumbline import ROOT, bundle
from plumbline.components import IMAGES
from plumbline.errors import PlumblineError
from plumbline.home import Home
from plumbline.targets.compose import engine
from plumbline.targets.compose.target import ComposeTarget

ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT}/services/servicekit"}
NAMES = ("manifest.json", *bundle.DESCRIPTION, "images.tar.gz")


PLATFORM = "linux/amd64"


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that says which platform it has, and must not be asked for anything else."""

    def docker(*arguments: str, **_: Any) -> subprocess.CompletedProcess[str]:
        assert arguments[0] == "version", arguments
        return subprocess.CompletedProcess(arguments, 0, f"{PLATFORM}\n", "")

    monkeypatch.setattr(engine, "docker", docker)


def manifest_of(contents: dict[str, bytes], **changes: Any) -> bytes:
    files = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    images = {f"plumbline/{name}:bundle": {"id": "", "layers": []} for name in IMAGES}
    manifest = {"format": 1, "version": facts.VERSION, "platform": PLATFORM, "images": images, "files": files}
    return json.dumps({name: value for name, value in (manifest | changes).items() if value is not None}).encode()


def archive_of(folder: Path, contents: dict[str, bytes]) -> Path:
    path = folder / "made-up.tar"
    with tarfile.open(path, "w") as archive:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


REST = dict.fromkeys(NAMES[1:], b"services: {}")


def refusal(archive: Path, home: Path) -> PlumblineError:
    with pytest.raises(PlumblineError) as error:
        bundle.load(archive, Home(home))
    assert not (home / "bundle").exists()
    assert not Home(home).exists
    assert list(home.glob(".plumbline-bundle-*")) == []
    return error.value


def test_what_is_no_bundle_is_refused(said: None, tmp_path: Path) -> None:
    assert "no bundle at" in str(refusal(tmp_path / "absent.tar", tmp_path / "home"))
    rubbish = tmp_path / "rubbish.tar"
    for content in (b"", b"rubbish" * 1000):
        rubbish.write_bytes(content)
        assert "not a complete bundle" in str(refusal(rubbish, tmp_path / "home"))
    assert "cannot be unpacked" in str(refusal(tmp_path, tmp_path / "home"))


@pytest.mark.parametrize("manifest", [b"", b"{}", b"[]", b"1", b'{"format": 1}', b"\xff"])
def test_a_manifest_that_is_none_is_refused(said: None, tmp_path: Path, manifest: bytes) -> None:
    archive = archive_of(tmp_path, {"manifest.json": manifest, **REST})
    assert "not a complete bundle" in str(refusal(archive, tmp_path / "home"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": 99}, "bundle format 99"),
        ({"version": "99.0.0", "files": {}}, "holds Plumbline 99.0.0, this checkout is"),
        ({"platform": "linux/arm64"}, "holds images for linux/arm64, this engine runs linux/amd64"),
        ({"platform": None}, "not a complete bundle"),
        ({"files": {}}, "does not list the files of a bundle"),
        ({"images": {}}, "does not list the files of a bundle"),
    ],
)
def test_a_bundle_for_something_else_is_refused(
    said: None, tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    archive = archive_of(tmp_path, {"manifest.json": manifest_of(REST, **changes), **REST})
    assert words in str(refusal(archive, tmp_path / "home"))


@pytest.mark.parametrize("name", REST)
def test_a_file_that_was_changed_or_left_out_is_named(said: None, tmp_path: Path, name: str) -> None:
    manifest = {"manifest.json": manifest_of(REST)}
    changed = refusal(archive_of(tmp_path, manifest | REST | {name: b"services: []"}), tmp_path / "home")
    assert str(changed).startswith(f"{name} in ")
    assert changed.hint == "copy the bundle again"
    without = {other: content for other, content in REST.items() if other != name}
    assert name in str(refusal(archive_of(tmp_path, manifest | without), tmp_path / "home"))


def test_half_a_copy_is_refused(said: None, tmp_path: Path) -> None:
    archive = archive_of(tmp_path, {"manifest.json": manifest_of(REST), **REST})
    whole = archive.read_bytes()
    for length in (100, 600, whole.index(b"services: {}")):
        archive.write_bytes(whole[:length])
        assert "not a complete bundle" in str(refusal(archive, tmp_path / "home"))


@pytest.mark.parametrize("place", ["absent/bundle.tar", "."])
def test_an_unwritable_bundle_path_is_reported_before_the_build(tmp_path: Path, place: str) -> None:
    with pytest.raises(PlumblineError, match="name a file in a folder that exists"):
        bundle.write(Home(tmp_path / "home"), tmp_path / place)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_command_left_is_removed_by_the_next_and_what_runs_is_left_alone(
    said: None, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    Home(home).prepare()
    code = (
        "import pathlib, sys; from plumbline import bundle\n"
        "with bundle._scratch(pathlib.Path(sys.argv[1])) as folder:\n    print(folder, flush=True); input()"
    )
    command = [sys.executable, "-c", code, str(home / "x")]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": ENVIRONMENT}
    # One after the other: what sweeps would take away a folder that is not locked yet, which the home's lock prevents.
    with subprocess.Popen(command, **pipes) as killed:
        assert killed.stdout is not None
        left = Path(killed.stdout.readline().strip())
        with subprocess.Popen(command, **pipes) as other:
            assert other.stdout is not None
            used = Path(other.stdout.readline().strip())
            killed.kill()
            killed.wait()
            assert left.is_dir()
            with pytest.raises(PlumblineError, match="no bundle at"):
                bundle.load(tmp_path / "absent.tar", Home(home))
            assert not left.exists()
            assert used.is_dir()
            other.communicate("\n")
    assert not used.exists()


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
        # Where this machine runs a containerd, dockerd would share it, with all the images and containers in it.
        command = (
            "ip link set lo up; mkdir -p /run/containerd; mount -t tmpfs none /run/containerd; exec dockerd "
            f"--host {self._socket} --data-root {folder}/data --exec-root {folder}/run"
            f" --pidfile {folder}/docker.pid"
        )
        with (folder / "dockerd.log").open("w") as log:
            self.engine = subprocess.Popen(
                ["unshare", "--net", "--mount", "sh", "-c", command], stdout=log, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + 60
        while self.run("docker", "version").returncode != 0:
            if self.engine.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"no engine in a closed network:\n{(folder / 'dockerd.log').read_text()[-2000:]}")
            time.sleep(0.1)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["nsenter", f"--net=/proc/{self.engine.pid}/ns/net", *command],
            env=ENVIRONMENT | {"DOCKER_HOST": self._socket},
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
    assert len(written["images"]) == len(IMAGES)
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
