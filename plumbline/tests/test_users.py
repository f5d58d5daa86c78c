"""`deploy-local.sh user`: what it runs, and what it says."""

from __future__ import annotations

import io
import subprocess
from typing import Any

import pytest

from plumbline import ROOT, cli, users
from plumbline.components import START_IN_IMAGE
from plumbline.errors import PlumblineError
from plumbline.home import Home

from .conftest import ScriptedTarget

PASSWORD = "a long passphrase of five words"


class Recording(ScriptedTarget):
    """Records what is executed, and answers `ended`."""

    def __init__(self, home: Home) -> None:
        super().__init__(home)
        self.ran: list[tuple[tuple[str, ...], str]] = []
        self.ended = (0, "done\n", "")

    def execute(self, component: str, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        self.ran.append(((component, *arguments), stdin))
        return subprocess.CompletedProcess([], *self.ended)


@pytest.fixture
def target(home: Home, monkeypatch: pytest.MonkeyPatch) -> Recording:
    made = Recording(home)
    home.prepare()
    home.save(home.load(), target="embedded")
    monkeypatch.setattr(cli, "deployed", lambda _: made)
    return made


def run(home: Home, *arguments: str) -> int:
    return cli.main(["user", *arguments, "--home", str(home.root)])


@pytest.mark.parametrize(
    ("arguments", "ran"),
    [
        (["list"], ["list"]),
        (["list", "--json"], ["--json", "list"]),
        (["disable", "ada"], ["disable", "--", "ada"]),
        (["promote", "ada"], ["promote", "--", "ada"]),
    ],
)
def test_it_runs_the_backends_command(home: Home, target: Recording, arguments: list[str], ran: list[str],
                                      capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    assert run(home, *arguments) == 0
    assert target.ran == [(("backend", "accounts", *ran), "")]
    assert capsys.readouterr().out == "done\n"


def test_a_password_is_read_from_standard_input_and_in_no_argument(
    home: Home, target: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    for action in (["create", "ada", "--operator", "--display-name", "Ada"], ["reset-password", "ada"]):
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
        assert run(home, *action) == 0
        arguments, stdin = target.ran.pop()
        assert stdin == f"{PASSWORD}\n"
        assert PASSWORD not in " ".join(arguments)
    assert arguments == ("backend", "accounts", "reset-password", "--", "ada")


def test_a_terminal_is_asked_twice(target: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal())
    answers = iter([PASSWORD, PASSWORD, PASSWORD, "another"])
    monkeypatch.setattr("getpass.getpass", lambda _prompt: next(answers))
    users.run(target, "create", "ada")
    assert target.ran[-1][1] == f"{PASSWORD}\n"
    with pytest.raises(PlumblineError, match="differ"):
        users.run(target, "create", "ada")
    assert len(target.ran) == 1


def test_a_refusal_is_one_sentence_and_what_to_do(
    home: Home, target: Recording, capsys: pytest.CaptureFixture[str]
) -> None:
    target.ended = (1, "", "backend: there is no user ada: ./deploy-local.sh user list shows all\n")
    assert run(home, "disable", "ada") == 1
    said: Any = capsys.readouterr()
    command = f"./deploy-local.sh --home {home.root} user list"
    assert said.err == f"plumbline: there is no user ada: {command} shows all\n"
    assert said.out == ""


def test_a_command_that_could_not_run_says_where_to_look(
    home: Home, target: Recording, capsys: pytest.CaptureFixture[str]
) -> None:
    target.ended = (75, "", "backend: the database cannot be used: connection refused\n")
    assert run(home, "list") == 1
    assert capsys.readouterr().err.endswith(f"next: ./deploy-local.sh status --home {home.root}\n")


def test_a_password_is_missing(
    home: Home, target: Recording, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert run(home, "create", "ada") == 1
    said = capsys.readouterr().err
    assert said.startswith("plumbline: there is no password on standard input\nnext: give it one: ")
    assert said.endswith("user create ada < FILE\n")
    assert target.ran == []


def test_a_user_must_be_named(home: Home, target: Recording, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(home, "disable") == 1
    assert "no user was named" in capsys.readouterr().err
    assert target.ran == []


def test_containers_start_commands_as_the_image_does() -> None:
    assert f'ENTRYPOINT ["{START_IN_IMAGE}"]' in (ROOT / "docker/service/Dockerfile").read_text()
