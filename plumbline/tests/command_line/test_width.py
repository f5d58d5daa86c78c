"""Messages fit a terminal of 80 columns, and are whole lines for a program that reads them."""

from __future__ import annotations

import pytest

from plumbline import cli, terminal
from plumbline.errors import StepError
from plumbline.home import Home
from plumbline.targets.embedded.target import EmbeddedTarget

PROBLEM = "port 8080 is taken by another program (pid 1234, user root): stop it, or choose another with --port"
HINT = "make some room, then run ./deploy-local.sh status; ./deploy-local.sh logs shows what happened until then"


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture
def default(monkeypatch: pytest.MonkeyPatch, stopped: Home) -> Home:
    """A stopped stack in the default home, so that commands have no `--home` and its long path."""
    monkeypatch.setattr("plumbline.home.DEFAULT_HOME", stopped.root)
    return stopped


def wide(said: str, home: Home) -> list[str]:
    lines = said.replace(str(home.root), "/srv/home").splitlines()
    return [line for line in lines if len(line) > terminal.WIDTH]


@pytest.mark.parametrize(
    "arguments",
    [["moon"], ["logs", "--component", "moon"], ["rotate-secret", "moon"], ["up", "--target", "moon"], ["service"],
     ["backup", "--moon"], ["user"], ["up", "--port", "moon"]],
    ids=" ".join,
)  # fmt: skip
@pytest.mark.usefixtures("narrow")
def test_wrong_usage_fits_and_says_where_the_right_one_is(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    said = capsys.readouterr().err
    assert [line for line in said.splitlines() if len(line) > terminal.WIDTH] == []
    assert said.splitlines()[-1].startswith("next: ./deploy-local.sh ")
    assert said.endswith(" --help\n")


@pytest.mark.usefixtures("narrow")
def test_an_error_and_its_hint_fit(run, default: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise StepError(PROBLEM, hint=HINT)

    monkeypatch.setattr(EmbeddedTarget, "down", fail)
    said = run("down")[2]
    assert wide(said, default) == []
    assert " ".join(said.split()) == f"plumbline: {PROBLEM} next: {HINT}"
    monkeypatch.delenv("COLUMNS")
    assert run("down")[2] == f"plumbline: {PROBLEM}\nnext: {HINT}\n"


@pytest.mark.parametrize("command", ["up", "doctor"])
@pytest.mark.usefixtures("narrow")
def test_problems_of_the_machine_fit(run, default: Home, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setattr(EmbeddedTarget, "problems", lambda _: [PROBLEM, "another one"])
    _, out, error = run(command)
    assert wide(out + error, default) == []
    assert f"- {PROBLEM} - another one" in " ".join((out + error).split())


@pytest.mark.usefixtures("narrow")
def test_a_failing_step_fits(run, default: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> str:
        raise StepError(PROBLEM, hint=HINT)

    monkeypatch.setattr(EmbeddedTarget, "problems", lambda _: [])
    monkeypatch.setattr(EmbeddedTarget, "run", fail)
    _, out, error = run("up")
    lines = [line for line in (out + error).splitlines() if "/diagnostics/" not in line]
    assert wide("\n".join(lines), default) == []
    assert " ".join(error.split()).endswith(f"Next: {HINT}")


@pytest.mark.usefixtures("narrow")
def test_doctors_notes_fit(run, default: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EmbeddedTarget, "problems", lambda _: [])
    monkeypatch.setattr("plumbline.overview._not_running", lambda _: [])
    said = run("doctor")[1]
    assert wide(said, default) == []
    assert "examined: what a deployment needs of this machine" in said


@pytest.mark.usefixtures("narrow")
def test_there_is_one_sentence_for_no_stack(run, home: Home) -> None:
    commands = (["status"], ["down"], ["reset"], ["logs"], ["backup"], ["user", "list"], ["rotate-secret", "all"])
    for command in commands:
        _, out, error = run(*command)
        said = " ".join((out + error).split()).lower()
        assert f"there is no stack in {home.root}".lower() in said, command
