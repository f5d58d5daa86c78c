"""The revision label of images. No engine needed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from plumbline import ROOT, fingerprint
from plumbline.components import BASELINE, IMAGES, SERVICES
from plumbline.errors import StepError
from plumbline.home import Home
from plumbline.targets.compose import images
from plumbline.targets.compose.project import BASELINE_FILE, Project

DOCKERFILE = """\
FROM scratch AS packages
COPY requirements/${SERVICE}.txt /requirements.txt
FROM packages
COPY --from=packages /venv /venv
COPY --chmod=0755 docker/probe.py services/${SERVICE}/${PACKAGE} /app/
"""
COMPOSE = """\
services:
  one-more:
    build:
      dockerfile: docker/service/Dockerfile
      args: {SERVICE: one-more, PACKAGE: one_more}
"""
INPUTS = (
    "docker/service/Dockerfile", "requirements/one-more.txt", "docker/probe.py", "services/one-more/one_more/main.py",
)  # fmt: skip


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
    return subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


def commit(folder: Path) -> str:
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "a change")
    return git(folder, "rev-parse", "HEAD").strip()


def change(file: Path, text: str = "changed\n") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as handle:
        handle.write(text)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    git(tmp_path, "init", "--quiet")
    change(tmp_path / "docker/compose.yaml", COMPOSE)
    change(tmp_path / "docker" / BASELINE_FILE, "services: {}\n")
    change(tmp_path / "docker/service/Dockerfile", DOCKERFILE)
    for name in INPUTS[1:]:
        change(tmp_path / name)
    return tmp_path


@pytest.mark.parametrize("name", INPUTS)
def test_the_revision_is_the_commit_that_last_changed_an_input(checkout: Path, name: str) -> None:
    first = commit(checkout)
    change(checkout / "services/log-sink/main.py")
    change(checkout / "services/one-more/tests/test_main.py")
    assert images.revisions(checkout) == {"one-more": first}
    commit(checkout)
    assert images.revisions(checkout) == {"one-more": first}
    change(checkout / name)
    assert images.revisions(checkout) == {"one-more": f"{first}-dirty"}
    changed = commit(checkout)
    assert changed != first
    assert images.revisions(checkout) == {"one-more": changed}


def test_without_git_the_revision_is_unknown(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert images.revisions(checkout) == {"one-more": "unknown"}, "there is no commit yet"
    monkeypatch.setenv("PATH", str(checkout))
    assert images.revisions(checkout) == {"one-more": "unknown"}


def test_containers_can_read_their_files_with_every_umask_of_the_checkout() -> None:
    for file in (ROOT / "docker").glob("*/Dockerfile"):
        *stages, last = re.split(r"^FROM ", file.read_text(), flags=re.MULTILINE)
        for line in re.findall(r"^COPY .*", last, re.MULTILINE):
            assert line.startswith(("COPY --chmod=", "COPY --from=")), f"{file}: {line}"
        if "--from=code" in last:
            assert stages[-1].rstrip().endswith("chmod -R a+rX /app"), file


def failing(monkeypatch: pytest.MonkeyPatch, folder: Path, said: str) -> Home:
    """Return a home where every build says something and fails."""
    home = Home(folder)
    home.prepare()
    docker = folder / "docker"
    docker.write_text(f'#!/bin/sh\necho "{said}"\nexit 1\n')
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    return home


def test_a_build_makes_no_attestation_that_would_make_the_same_image_another_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    home = failing(monkeypatch, tmp_path, "ERROR: attestations left out: $BUILDX_NO_DEFAULT_ATTESTATIONS")
    with pytest.raises(StepError, match="attestations left out: 1"):
        images.build(Project(home))


def test_a_build_that_fills_the_disk_ends_with_a_way_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    home = failing(monkeypatch, tmp_path, "ERROR: failed to solve: write /venv/x: no space left on device")
    with pytest.raises(
        StepError, match="could not be built: ERROR: failed to solve: write /venv/x: no space"
    ) as failure:
        images.build(Project(home))
    assert "docker system df" in str(failure.value.hint)
    assert (home.logs / "images.log").read_text().startswith("ERROR")


def test_every_image_that_is_built_here_has_a_revision() -> None:
    file = "".join((ROOT / "docker" / name).read_text() for name in ("compose.yaml", BASELINE_FILE))
    built = images.inputs_of_images()
    assert set(built) == {*IMAGES, BASELINE.image_name}
    for name in built:
        assert f"REVISION: ${{PLUMBLINE_{name.upper().replace('-', '_')}_REVISION:-unknown}}" in file


def test_every_file_that_an_image_is_built_from_counts_in_the_fingerprint() -> None:
    counted = (*fingerprint.SOURCES, *images.INPUTS)
    for name, inputs in images.inputs_of_images().items():
        assert f"docker/{name}" in inputs or "docker/service" in inputs
        for one in inputs:
            assert (ROOT / one).exists(), one
            assert any(Path(one).is_relative_to(source) for source in counted), one


def test_each_service_is_built_from_its_own_code() -> None:
    inputs = images.inputs_of_images()
    for name in SERVICES:
        assert {f"requirements/{name}.txt", f"services/{name}/{name.replace('-', '_')}"} <= set(inputs[name])


@pytest.mark.parametrize(
    ("file", "images_of"),
    [
        ("services/backend/backend/new.py", {"backend"}),
        ("services/servicekit/servicekit/new.py", {*SERVICES, BASELINE.image_name}),
        ("docker/postgres/start.sh", {"postgres"}),
        ("docker/redis/redis.conf", {"redis"}),
        ("requirements/log-sink.txt", {"log-sink"}),
        ("docs/new.md", {"caddy"}),
        (".dockerignore", {*IMAGES, BASELINE.image_name}),
        ("services/backend/tests/new.py", set()),
        ("plumbline/cli.py", set()),
    ],
)
def test_a_change_concerns_the_images_that_are_built_from_it(tmp_path: Path, file: str, images_of: set[str]) -> None:
    shutil.copytree(ROOT / "docker", tmp_path / "docker", ignore=shutil.ignore_patterns("secrets", ".env"))
    before = images.digests(tmp_path)
    place = tmp_path / file
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("changed")
    after = images.digests(tmp_path)
    assert {name for name in before if before[name] != after[name]} == images_of


def test_another_base_image_concerns_the_images_on_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PLUMBLINE_REDIS_IMAGE", raising=False)
    shutil.copytree(ROOT / "docker", tmp_path / "docker", ignore=shutil.ignore_patterns("secrets", ".env"))
    before = images.digests(tmp_path)
    (tmp_path / "docker" / ".env").write_text("# offline\nPLUMBLINE_REDIS_IMAGE=redis:9\n")
    after = images.digests(tmp_path)
    assert {name for name in before if before[name] != after[name]} == {"redis"}
    monkeypatch.setenv("PLUMBLINE_REDIS_IMAGE", "redis:8.0")
    assert images.digests(tmp_path) == before
