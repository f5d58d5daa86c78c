"""`docker compose up` by hand, run by pytest-docker without the deployer."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from pytest_docker.plugin import Services

from plumbline import secret_files
from plumbline.net import free_port
from plumbline.targets.compose import by_hand, engine
from plumbline.targets.compose.project import CHECKOUT

TAG = "by-hand"
PATIENCE_S = 10
FILE = str(CHECKOUT / "compose.yaml")


def environment(folder: Path, **more: str) -> dict[str, str]:
    """Return what a person sets who runs this beside another stack: where the secrets are, tag and port."""
    return {"PLUMBLINE_SECRETS_DIR": str(folder / "secrets"), "PLUMBLINE_TAG": TAG, **more}


@pytest.fixture(scope="session")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("by-hand")
    by_hand.make_secrets(folder)
    return folder / "secrets"


@pytest.fixture(scope="session")
def docker_compose_file(docker_engine: None, secrets: Path) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(secrets.parent, PLUMBLINE_PUBLISH_PORT=str(free_port())).items():
            patch.setenv(name, value)
        yield FILE
    images = engine.output("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "--filter", "reference=plumbline/*")
    engine.docker("image", "rm", *[name for name in images.split() if name.endswith(f":{TAG}")])


@pytest.fixture(scope="session")
def docker_compose_project_name() -> str:
    return f"plumbline-by-hand-{os.getpid()}"


@pytest.mark.engine
def test_compose_by_hand_brings_up_the_whole_stack(
    docker_ip: str, docker_services: Services, secrets: Path, docker_compose_project_name: str
) -> None:
    # `up` has returned: it waits for everything by itself.
    door = f"http://{docker_ip}:{docker_services.port_for('caddy', 8080)}"
    for path in ("/health", "/data-processor/health"):
        assert requests.get(door + path, timeout=PATIENCE_S).json()["stack_id"] == "by-hand"
    password = (secrets / "operator_password").read_text().strip()
    with requests.Session() as operator:
        login = {"username": "operator", "password": password}
        assert operator.post(f"{door}/auth/login", data=login, timeout=PATIENCE_S).status_code == 200
        assert operator.get(f"{door}/logs/stats", timeout=PATIENCE_S).json()["kept"] <= 200
    ends = engine.output(
        "ps", "--all", "--filter", f"label=com.docker.compose.project={docker_compose_project_name}",
        "--filter", "name=migrate", "--format", "{{.Names}} {{.Status}}",
    )  # fmt: skip
    assert [line.partition(" ")[2].startswith("Exited (0)") for line in ends.splitlines()] == [True, True]


@pytest.mark.engine
def test_without_secrets_the_command_that_makes_them_is_named(docker_engine: None) -> None:
    without = {name: value for name, value in os.environ.items() if name != "PLUMBLINE_SECRETS_DIR"}
    done = engine.docker("compose", "--env-file", os.devnull, "--file", FILE, "config", "--quiet", env=without)
    assert done.returncode != 0
    assert "there are no secrets yet, this command makes them - ./deploy-local.sh secrets" in done.stderr


def test_secrets_are_made_once_named_for_compose_and_closed_to_others(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PLUMBLINE_REDIS_IMAGE=mine\nPLUMBLINE_SECRETS_DIR=/elsewhere\n")
    assert sorted(by_hand.make_secrets(tmp_path)) == sorted(secret_files.SECRETS)
    before = {name: (tmp_path / "secrets" / name).read_bytes() for name in secret_files.SECRETS}
    assert by_hand.make_secrets(tmp_path) == []
    assert {name: (tmp_path / "secrets" / name).read_bytes() for name in secret_files.SECRETS} == before
    assert (tmp_path / ".env").read_text() == "PLUMBLINE_REDIS_IMAGE=mine\nPLUMBLINE_SECRETS_DIR=./secrets\n"
    # The containers' account has to read the files; what keeps others out is the folder.
    assert (tmp_path / "secrets").stat().st_mode & 0o077 == 0
