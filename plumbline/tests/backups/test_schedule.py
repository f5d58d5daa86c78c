"""Regular backups: systemd accepts the units, and a machine without systemd gets one sentence."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from plumbline.backups import schedule
from plumbline.errors import PlumblineError
from plumbline.home import Home
from plumbline.service import systemd


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    made: list[tuple[str, ...]] = []
    monkeypatch.setattr(systemd, "absence", lambda: None)
    monkeypatch.setattr(systemd, "folder", lambda: tmp_path / "units")
    monkeypatch.setattr(systemd, "call", lambda *words: made.append(words))
    monkeypatch.setattr(systemd, "let_user_linger", lambda: None)
    return made


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze here")
@pytest.mark.parametrize("home", ["/srv/plumbline", '/home/ada/my stack/100% of $it "quoted"'])
def test_systemd_accepts_the_units(tmp_path: Path, home: str) -> None:
    files = [tmp_path / name for name in schedule.names(Path(home))]
    for file, text in zip(files, schedule.texts(Path(home), "6h", 14), strict=True):
        file.write_text(text)
    command = ["systemd-analyze", "--user", "verify", *map(str, files)]
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=False)
    assert "plumbline" not in done.stderr, done.stderr
    assert done.returncode == 0, done.stderr


def test_a_timer_is_installed_changed_and_removed(
    calls: list[tuple[str, ...]], home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    service, timer = (systemd.folder() / name for name in schedule.names(home.root))
    for every in ("6h", "30m"):
        schedule.install(home, every, 14)
        assert f"OnUnitActiveSec={every}\n" in timer.read_text()
        assert '"--scheduled" "--keep" "14"' in service.read_text()
    assert calls[-1] == ("restart", timer.name)
    schedule.install(home, "never", 14)
    assert ("disable", "--now", timer.name) in calls
    assert not service.exists()
    assert not timer.exists()
    assert "The archives are kept" in capsys.readouterr().out


def test_without_systemd_the_command_for_cron_is_named(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(systemd, "absence", lambda: "this machine was not started by systemd")
    with pytest.raises(PlumblineError, match="not started by systemd") as refused:
        schedule.install(home, "6h", 3)
    assert "./deploy-local.sh backup --scheduled --keep 3" in str(refused.value.hint)


@pytest.mark.parametrize("text", ["6", "0h", "9m", "6 h", "-1d", "1w", "99999d"])
def test_an_interval_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        schedule.interval(text)
