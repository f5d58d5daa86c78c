"""Commands, their exit codes and messages."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys

import pytest

from plumbline import ROOT, cli
from plumbline.errors import PlumblineError, StepError
from plumbline.plan import PLAN
from plumbline.targets.embedded.target import EmbeddedTarget
from plumbline.verification.docs.commands import commands


def test_plan_prints_the_steps_in_order_and_changes_nothing(run, public_folder, listing):
    code, said, _ = run("plan")
    assert code == 0
    heads = [line.split()[1] for line in said.splitlines() if line[:3].strip(" .").isdigit()]
    assert heads == [step.name for step in PLAN]
    assert listing(public_folder) == {}


def test_a_failing_command_prints_error_and_hint(run, stopped, monkeypatch):
    def fail(_: object) -> None:
        raise StepError("docker compose failed: no space left on device", hint="docker system prune")

    monkeypatch.setattr(EmbeddedTarget, "down", fail)
    code, _, said = run("down")
    assert code == 1
    assert said == "plumbline: docker compose failed: no space left on device\nnext: docker system prune\n"


def test_a_failing_step_is_reported_once(run, stopped, monkeypatch):
    def fail(*_: object) -> str:
        raise PlumblineError("the disk is full")

    monkeypatch.setattr(EmbeddedTarget, "problems", lambda _: [])
    monkeypatch.setattr(EmbeddedTarget, "run", fail)
    code, _, said = run("up")
    assert code == 1
    assert said.count("the disk is full") == 1


def test_a_refused_deployment_changes_nothing_on_disk(run, public_folder, listing):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, _, said = run("up", "--target", "embedded", "--port", str(port))
    assert code == 1
    assert f"port {port} is taken by " in said
    assert f"(pid {os.getpid()}, " in said
    assert "Nothing was changed" in said
    assert listing(public_folder) == {}


def test_commands_in_hints_name_the_home(run, stopped, monkeypatch):
    def fail(_: object) -> None:
        raise PlumblineError("x", hint="./deploy-local.sh status; or ./deploy-local.sh makes it")

    monkeypatch.setattr(EmbeddedTarget, "down", fail)
    here = f"--home {stopped.root}"
    assert f"next: ./deploy-local.sh status {here}; or ./deploy-local.sh {here} makes it\n" in run("down")[2]


def test_options_may_come_before_the_command(home, capsys):
    assert cli.main(["--home", str(home.root), "status"]) == 3
    assert f"there is no stack in {home.root}" in capsys.readouterr().out


def test_a_home_may_be_named_like_a_command(home, capsys, monkeypatch):
    home.root.parent.mkdir(exist_ok=True)
    monkeypatch.chdir(home.root.parent)
    assert cli.main(["status", "--home", "reset"]) == 3
    assert cli.main(["--home", "reset", "status"]) == 3
    assert f"there is no stack in {home.root.parent / 'reset'}" in capsys.readouterr().out


def test_an_unknown_command_is_refused_with_the_known_ones(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["frobnicate"])
    assert caught.value.code == 2
    said = capsys.readouterr().err
    assert "invalid choice: 'frobnicate'" in said
    assert "doctor" in said


def test_the_default_command_is_up(home, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code = cli.main(["--target", "embedded", "--port", str(taken.getsockname()[1]), "--home", str(home.root)])
    assert code == 1
    assert "is taken by" in capsys.readouterr().err


def test_a_second_command_is_refused_and_names_the_first(run, home):
    with home.lock("up"):
        code, _, said = run("up", "--target", "embedded")
    assert code == 1
    assert f"plumbline: 'up' (pid {os.getpid()}) is working on {home.root} right now" in said
    assert "next: wait for it to end" in said


def test_down_and_reset_without_a_stack_do_nothing(run, public_folder, listing):
    for command in (["down"], ["reset"], ["reset", "--yes"]):
        code, _, said = run(*command)
        assert (code, said) == (0, "")
    assert listing(public_folder) == {}


def test_down_of_a_stopped_stack_does_nothing(run, stopped):
    code, said, _ = run("down")
    assert (code, said) == (0, "Nothing was running.\n")
    assert stopped.exists


def test_down_and_reset_work_on_a_full_disk(run, stopped, public_folder, listing, full_disk):
    with full_disk():
        assert run("down") == (0, "Nothing was running.\n", "")
        code, said, _ = run("reset", "--yes")
    assert (code, said) == (0, f"Deleted {stopped.root}.\n")
    assert listing(public_folder) == {}


def test_a_full_disk_is_reported_without_a_traceback(run, stopped, full_disk, monkeypatch):
    monkeypatch.setattr(EmbeddedTarget, "problems", lambda _: [])
    with full_disk():
        code, _, said = run("up")
    assert code == 1
    assert f"the state file {stopped.root / 'state.json'} cannot be written: File too large" in said
    assert "Next: free some disk space" in said
    assert "Traceback" not in said


def test_an_os_error_is_reported_without_a_traceback(run, stopped, monkeypatch):
    def fail(_: object) -> None:
        raise PermissionError(13, "Permission denied", "/somewhere")

    monkeypatch.setattr(EmbeddedTarget, "down", fail)
    code, _, said = run("down")
    assert code == 1
    assert said == (
        f"plumbline: [Errno 13] Permission denied: '/somewhere'\nnext: ./deploy-local.sh doctor --home {stopped.root}\n"
    )


def test_logs_without_a_stack_print_a_hint(run):
    code, _, said = run("logs")
    assert code == 1
    assert "bring one up: ./deploy-local.sh" in said


@pytest.mark.parametrize("typed", ["", "yes\n", "hom\n", "HOME\n"])
def test_reset_needs_the_folders_name_typed(run, stopped, listing, monkeypatch, typed):
    before = listing(stopped.data.parent)
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    code, said, _ = run("reset")
    assert code == 1
    assert "every channel, document, secret and log" in said
    assert "Nothing was deleted." in said
    after = listing(stopped.data.parent)
    assert after == before


def test_reset_deletes_the_stack(run, stopped, public_folder, listing, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("home\n"))
    code, said, _ = run("reset")
    assert code == 0
    assert f"Deleted {stopped.root}" in said
    assert listing(public_folder) == {}


def test_the_log_of_a_component_is_readable(run, stopped):
    (stopped.logs / "caddy.log").write_text('{"level":"info","ts":1764410400.5,"msg":"serving"}\nplain\n')
    assert run("logs", "--component", "caddy")[1] == (
        "2025-11-29T10:00:00.500+00:00 INFO     caddy           serving\nplain\n"
    )
    assert run("logs", "--component", "caddy", "--json")[1].startswith('{"level":"info","ts":1764410400.5')
    assert "not with --component" in run("logs", "--component", "caddy", "--level", "error")[2]


def test_logs_of_a_stopped_stack_name_what_is_stopped(run, stopped):
    code, _, said = run("logs")
    assert code == 1
    assert said == (
        f"plumbline: there is no recorder: the stack in {stopped.root} is down\n"
        f"next: ./deploy-local.sh --home {stopped.root} starts it; "
        f"./deploy-local.sh logs --home {stopped.root} --component NAME shows a component's own log\n"
    )


def test_an_unknown_target_is_named(run, stopped):
    stopped.save(stopped.load(), target="moon")
    code, _, said = run("status")
    assert code == 1
    assert "was deployed on target 'moon'" in said


def test_a_stack_keeps_its_target(run, stopped):
    code, _, said = run("up", "--target", "compose")
    assert code == 1
    assert "was deployed on target embedded" in said
    assert "reset" in said


@pytest.mark.parametrize(
    "arguments",
    [["up", "--port", "70000"], ["up", "--port", "-1"], ["up", "--port", "http"], ["up", "--target", "moon"],
     ["status", "--wrong"], ["up", "--port", "x"], ["logs", "--level", "info"], ["logs", "--component", "moon"]],
)  # fmt: skip
def test_wrong_usage_exits_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    assert "usage:" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["", *commands()])
def test_help_fits_a_terminal_of_80_columns(capsys, monkeypatch, command):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        cli.parser().parse_args([command, "--help"] if command else ["--help"])
    wide = [line for line in capsys.readouterr().out.splitlines() if len(line) > 80]
    assert wide == []


def test_help_and_version_need_no_command(capsys):
    for argument in ("--help", "--version"):
        with pytest.raises(SystemExit) as caught:
            cli.main([argument])
        assert caught.value.code == 0
    assert "Plumbline" in capsys.readouterr().out


def test_plumbline_runs_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "plumbline", "plan"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "1. preflight" in done.stdout
