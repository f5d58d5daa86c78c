"""Regular backups: systemd accepts the units, and a machine without systemd gets one sentence."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from plumbline.backups import intervals, schedule
from plumbline.errors import PlumblineError
from plumbline.home import Home
from plumbline.service import systemd
from plumbline.tests.conftest import HOMES_OF_UNITS


@pytest.mark.parametrize("home", HOMES_OF_UNITS)
def test_systemd_accepts_the_units(systemd_accepts: Callable[..., None], home: str) -> None:
    units = zip(schedule.names(Path(home)), schedule.texts(Path(home), "6h", 14), strict=True)
    systemd_accepts(dict(units), is_user=True)


def test_a_timer_is_installed_changed_and_removed(systemctl_calls: list[tuple[str, ...]], home: Home) -> None:
    service, timer = (systemd.folder() / name for name in schedule.names(home.root))
    for every in ("6h", "30m"):
        assert f"makes and verifies a backup every {every}, and keeps 14" in schedule.install(home, every, 14)
        assert f"OnUnitActiveSec={every}\n" in timer.read_text()
        assert '"--scheduled" "--keep" "14"' in service.read_text()
    assert systemctl_calls[-1] == ("restart", timer.name)
    assert "The archives are kept" in schedule.install(home, "never", 14)
    assert ("disable", "--now", timer.name) in systemctl_calls
    assert not service.exists()
    assert not timer.exists()


def test_without_systemd_the_command_for_cron_is_named(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(systemd, "absence", lambda: "this machine was not started by systemd")
    with pytest.raises(PlumblineError, match="not started by systemd") as refused:
        schedule.install(home, "6h", 3)
    assert "./deploy-local.sh backup --scheduled --keep 3" in str(refused.value.hint)


@pytest.mark.parametrize("text", ["6", "0h", "9m", "6 h", "-1d", "1w", "99999d"])
def test_an_interval_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        intervals.interval(text)
