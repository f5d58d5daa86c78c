"""The systemd unit of a stack: it is valid, and a machine without systemd gets one sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from plumbline import cli
from plumbline.home import Home, State
from plumbline.service import systemd, unit
from plumbline.tests.conftest import HOMES_OF_UNITS


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home with a stack."""
    found = Home(tmp_path / "home")
    found.prepare()
    found.save(State(target="embedded", phase="ready"))
    return found


@pytest.mark.parametrize("home", HOMES_OF_UNITS)
@pytest.mark.parametrize("is_user", [True, False])
def test_systemd_accepts_the_unit(systemd_accepts: Callable[..., None], home: str, is_user: bool) -> None:
    systemd_accepts({unit.name(Path(home)): unit.text(Path(home), is_user=is_user)}, is_user=is_user)


def test_each_home_has_a_unit_of_its_own() -> None:
    assert len({unit.name(Path(home)) for home in HOMES_OF_UNITS}) == len(HOMES_OF_UNITS)


def test_install_and_remove(
    systemctl_calls: list[tuple[str, ...]], home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    name = unit.name(home.root)
    place = systemd.folder() / name
    for _ in range(2):
        assert cli.main(["service", "install", "--home", str(home.root)]) == 0
    assert f'"up" "--home" "{home.root}"' in place.read_text()
    assert systemctl_calls[:2] == [("daemon-reload",), ("enable", name)]
    assert "with the machine" in capsys.readouterr().out
    assert cli.main(["service", "remove", "--home", str(home.root)]) == 0
    assert not place.exists()
    assert systemctl_calls[-2:] == [("disable", name), ("daemon-reload",)]
    assert cli.main(["service", "remove", "--home", str(home.root)]) == 0
    assert "has no service" in capsys.readouterr().out


@pytest.mark.parametrize("action", ["install", "remove"])
def test_a_machine_without_systemd_gets_one_sentence_and_a_way_out(
    home: Home, action: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(systemd, "_BOOTED", tmp_path / "absent")
    assert cli.main(["service", action, "--home", str(home.root)]) == 1
    said = capsys.readouterr().err
    assert "this machine was not started by systemd" in said
    assert f"up --home {home.root}" in said


def test_nothing_to_start_is_said(
    systemctl_calls: list[tuple[str, ...]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["service", "install", "--home", str(tmp_path / "empty")]) == 1
    assert "there is no stack" in capsys.readouterr().err
    assert systemctl_calls == []
