"""Services and the supervisor run only our own code, even if their working folder holds other modules."""

from __future__ import annotations

import subprocess

import pytest

from plumbline.components import PORTS
from plumbline.home import Home
from plumbline.targets.embedded.programs import Layout, service_command
from plumbline.targets.embedded.supervisor import Supervisor

_NAMES = ("secrets", "json", "argparse", "socket", "usercustomize", "supervisor", "granian", "django", "psycopg")


def _plant(folder, mark):
    folder.mkdir(parents=True, exist_ok=True)
    for name in _NAMES:
        (folder / f"{name}.py").write_text(f"open({str(mark)!r}, 'w')\n")


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path / "home")
    home.prepare()
    return home


@pytest.mark.parametrize("service", ["backend", "data-processor", "log-sink"])
def test_a_service(home, tmp_path, service):
    mark = tmp_path / "ran"
    _plant(home.run / service, mark)
    layout = Layout(home, dict.fromkeys(PORTS, 1), "none")
    done = subprocess.run(
        service_command(service, "nonsense"), env=layout.service_environment(service), cwd=home.run / service,
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert "nonsense" in done.stderr, done.stderr
    assert not mark.exists()


def test_the_supervisor(home, tmp_path):
    mark = tmp_path / "ran"
    _plant(home.run, mark)
    supervisor = Supervisor(home)
    try:
        supervisor.apply([])
        assert supervisor.alive()
    finally:
        supervisor.shutdown()
    assert not mark.exists()
