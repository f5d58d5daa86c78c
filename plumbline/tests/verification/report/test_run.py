"""nox reports its sessions and their steps, also if they fail, are skipped or are interrupted."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from plumbline import ROOT
from plumbline.verification.report import run as reporting
from plumbline.verification.report import usual
from plumbline.verification.report.record import FOLDER, Record
from plumbline.verification.report.run import KEPT, Run


class Nox:
    """Sessions as nox makes them."""

    def __init__(self, *names: str) -> None:
        self.said: list[str] = []
        self.sessions = {name: self.session(name) for name in names}

    def session(self, name: str) -> Any:
        return SimpleNamespace(
            name=name, env={}, posargs=[], python=None, log=self.said.append,
            _runner=SimpleNamespace(manifest=self, friendly_name=name, result=None),
        )  # fmt: skip

    def list_all_sessions(self) -> Iterator[tuple[Any, bool]]:
        for number, one in enumerate(self.sessions.values()):
            yield one._runner, number > 0


def shown(reports: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((reports / "latest" / "report.json").read_text())
    return document


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(reporting.atexit, "register", lambda _: None)
    return Run(tmp_path)


def lint(run: Run, session: Any) -> None:
    with run.session(session, "Looks for mistakes."):
        with run.step("ruff check .", "mistakes") as output:
            output.write("all is well\n")
        with run.step("mypy", "wrong types") as output:
            output.write("one.py:3: wrong type, password=correct-horse-battery\n")
            raise RuntimeError("it failed")


def test_steps_are_checks_and_their_output_is_shown(
    run: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    nox = Nox("lint", "docs")
    with pytest.raises(RuntimeError):
        lint(run, nox.sessions["lint"])
    assert "one.py:3" in capfd.readouterr().out
    run._finish()
    document = shown(tmp_path)
    first, second = document["sessions"]
    assert (document["state"], first["state"], second["state"]) == ("failed", "failed", "not run")
    assert [one["outcome"] for one in first["checks"]] == ["passed", "failed"]
    red = first["checks"][1]
    assert red["guards"] == "wrong types"
    assert "one.py:3: wrong type" in red["explained"]["found"]
    assert "correct-horse" not in (tmp_path / "latest" / "report.html").read_text()
    assert nox.sessions["lint"].env[FOLDER].startswith(str(tmp_path))


@pytest.mark.parametrize(
    ("error", "state"),
    [(KeyboardInterrupt(), "interrupted"), (type("_SessionSkip", (Exception,), {})("no program"), "skipped")],
)
def test_a_session_that_is_broken_off(run: Run, tmp_path: Path, error: BaseException, state: str) -> None:
    with pytest.raises(type(error)), run.session(Nox("manifests").sessions["manifests"], "Renders."):
        raise error
    run._finish()
    (session,) = shown(tmp_path)["sessions"]
    assert session["state"] == state
    assert session["why"]


def test_a_page_exists_while_the_run_is_at_work(run: Run, tmp_path: Path) -> None:
    with run.session(Nox("unit").sessions["unit"], "Tests."):
        assert shown(tmp_path)["sessions"][0]["state"] == "unfinished"
        assert "Not finished" in (tmp_path / "latest" / "report.html").read_text()


def test_a_killed_run_gets_its_page_from_the_next_one(run: Run, tmp_path: Path) -> None:
    killed = tmp_path / "20000101T000000Z-1"
    killed.mkdir()
    writer = Record(killed, "unit")
    writer.write("session", what="Tests.", arguments="", python="3.11")
    writer.write("began", name="t.py::test_a", claim="a")
    with run.session(Nox("lint").sessions["lint"], "Looks."):
        pass
    document = json.loads((killed / "report.json").read_text())
    assert document["state"] == "unfinished"
    assert document["counts"]["interrupted"] == 1


def test_the_last_reports_are_kept_and_tell_what_is_usual(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporting.atexit, "register", lambda _: None)
    monkeypatch.setattr(usual, "RECORDED", tmp_path / "none" / usual.FILE)
    for number in range(KEPT + 2):
        monkeypatch.setattr(reporting.os, "getpid", lambda number=number: number)
        run, nox = Run(tmp_path), Nox("lint")
        with run.session(nox.sessions["lint"], "Looks."):
            pass
        run._finish()
        assert ("Usually takes" in nox.said[0]) is (number > 0)
    assert len([one for one in tmp_path.iterdir() if not one.is_symlink()]) == KEPT
    assert shown(tmp_path)["run"]["process"] == KEPT + 1


def test_a_report_that_cannot_be_written_fails_no_session(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(_: Path) -> Path:
        raise OSError("no space left on device")

    monkeypatch.setattr(reporting.files, "write", full)
    with run.session(Nox("lint").sessions["lint"], "Looks."):
        pass
    run._finish()
    assert "cannot be written: no space left" in capsys.readouterr().err


def test_every_session_is_part_of_the_report() -> None:
    tree = ast.parse((ROOT / "noxfile.py").read_text())
    for one in tree.body:
        if isinstance(one, ast.FunctionDef):
            said = [ast.unparse(decorator) for decorator in one.decorator_list]
            if any(decorator.startswith("nox.session") for decorator in said):
                assert said[-1] == "_reported", f"{one.name} is not reported"
