"""A deployment prints each step, stops at the first failure, and reports it."""

from __future__ import annotations

import errno
import json
import re

import pytest

from plumbline import deploy
from plumbline.deploy import PreflightError
from plumbline.errors import PlumblineError, StepError
from plumbline.plan import PLAN
from plumbline.stack import Component

STEPS = [step.name for step in PLAN if step.name != "preflight"]
FAILING = "migrate-backend"
NUMBER = [step.name for step in PLAN].index(FAILING) + 1


def _fail(home, scripted, error, capsys, step=FAILING):
    """Let a step fail; return the error and what was printed to stderr."""
    scripted.failures[step] = error
    with pytest.raises((PlumblineError, KeyboardInterrupt)) as caught:
        deploy.up(home, scripted, "asked for")
    return caught.value, capsys.readouterr().err


def _bundle(home):
    (folder,) = home.diagnostics.iterdir()
    return folder


def test_steps_run_in_the_order_of_the_plan_and_are_printed_with_times(home, scripted, capsys):
    deploy.up(home, scripted, "no docker command here")
    assert scripted.done == ["begin", *STEPS]
    said = capsys.readouterr().out
    assert "Target scripted (no docker command here)" in said
    shown = re.findall(rf"^ *(\d+)/{len(PLAN)} (\S+) +ok +\d+\.\d\d s", said, re.MULTILINE)
    assert shown == [(str(number), step.name) for number, step in enumerate(PLAN, start=1)]
    assert "did migrate-backend" in said
    assert re.search(r"^Ready in \d", said, re.MULTILINE)
    assert "http://127.0.0.1:8080" in said
    assert "operator_password" in said, "the file of the password, for the recorder"


def test_the_line_of_a_step_fits_a_terminal_of_80_columns(home, scripted, monkeypatch, capsys):
    monkeypatch.setattr(scripted, "run", lambda _: "backend, data-processor, worker and another process started")
    deploy.up(home, scripted, "x")
    said = capsys.readouterr().out.partition(" 1/")[2].partition("Ready in")[0]
    assert max(map(len, said.splitlines())) <= 80
    assert " ".join(said.split()).count("backend, data-processor, worker and another process started") == len(STEPS)


def test_an_unchanged_running_stack_is_not_deployed(home, scripted, capsys):
    home.prepare()
    home.save(home.load())
    scripted.current = True
    deploy.up(home, scripted, "x")
    assert scripted.done == []
    said = capsys.readouterr().out
    assert said.startswith("Already running, nothing changed")
    assert "http://127.0.0.1:8080" in said


def test_a_changed_stack_is_deployed_again(home, scripted):
    home.prepare()
    home.save(home.load())
    deploy.up(home, scripted, "x")
    assert scripted.done == ["begin", *STEPS]


def test_a_failing_step_is_reported_with_states_log_bundle_and_hint(home, scripted, capsys):
    scripted.states["postgres"] = Component("postgres", "running", since="2030-01-02T03:04:05+00:00")
    scripted.states["redis"] = Component("redis", "failed", detail="exit status 1")
    scripted.logs["migrate-backend"] = [f"line {number}" for number in range(1, 41)]
    error = StepError("the migrations ended\nwith an error", component="migrate-backend", exit_code=75)
    raised, said = _fail(home, scripted, error, capsys)
    assert raised is error
    assert f"Step {NUMBER} (migrate-backend) failed, exit code 75:\n  the migrations ended\n  with an error\n" in said
    for name, component in scripted.states.items():
        assert re.search(rf"^  {name} +{component.state}\b", said, re.MULTILINE)
    assert "\n  postgres        running   2030-01-02T03:04:05+00:00\n" in said
    assert "exit status 1" in said
    tail = re.findall(r"^  (line \d+)$", said, re.MULTILINE)
    assert tail == [f"line {number}" for number in range(41 - len(tail), 41)]
    assert len(tail) >= 10
    assert f"Diagnostics bundle: {_bundle(home)}" in said
    assert f"\nNext: fix the problem above, then run ./deploy-local.sh --home {home.root};" in said


def test_what_a_failing_step_shows_can_be_read(home, scripted, capsys):
    hangs = "pid 15052 hangs: port 25403: Connection refused; it is restarted if this lasts, see logs/watch.log"
    scripted.states["backend"] = Component("backend", "failed", since="2030-01-02T03:04:05+00:00", detail=hangs)
    entry = {"ts": "2030-01-02T03:04:05.678Z", "level": "error", "service": "backend", "message": "no such column"}
    scripted.logs["backend"] = [json.dumps(entry), "Killed"]
    said = _fail(home, scripted, StepError("no", component="backend"), capsys)[1]
    assert "\n  2030-01-02T03:04:05.678Z ERROR    backend         no such column\n  Killed\n" in said
    assert "\n  backend         failed    2030-01-02T03:04:05+00:00\n    pid 15052 hangs: port" in said


def test_no_step_runs_after_a_failure(home, scripted, capsys):
    scripted.failures[FAILING] = StepError("no")
    with pytest.raises(StepError):
        deploy.up(home, scripted, "x")
    assert scripted.done[-1] == FAILING
    said = capsys.readouterr().out
    assert "Ready" not in said
    assert re.search(rf"^ *{NUMBER}/{len(PLAN)} migrate-backend +FAILED +\d", said, re.MULTILINE)


def test_the_errors_own_hint_is_printed(home, scripted, capsys):
    _, said = _fail(home, scripted, StepError("x", hint="./deploy-local.sh down, then up again"), capsys)
    assert f"Next: ./deploy-local.sh down --home {home.root}, then up again" in said


def test_exit_code_zero_is_printed(home, scripted, capsys):
    assert "exit code 0" in _fail(home, scripted, StepError("ended", exit_code=0), capsys)[1]


def test_an_unexpected_error_is_reported_with_its_traceback_in_the_bundle_only(home, scripted, capsys):
    raised, said = _fail(home, scripted, ValueError("surprise"), capsys)
    assert isinstance(raised, StepError)
    assert isinstance(raised.__cause__, ValueError)
    assert "surprise" in said
    assert "Traceback" not in said
    assert "Traceback" in (_bundle(home) / "occasion.txt").read_text()


def test_an_error_without_a_message_is_named_by_its_class(home, scripted, capsys):
    assert "ZeroDivisionError" in _fail(home, scripted, ZeroDivisionError(), capsys)[1]


def test_an_interruption_is_reported_and_raised(home, scripted, capsys):
    raised, said = _fail(home, scripted, KeyboardInterrupt(), capsys)
    assert isinstance(raised, KeyboardInterrupt)
    assert f"Step {NUMBER} (migrate-backend) was interrupted.\n\nComponents:\n" in said
    assert "Components:" in said
    assert f"\nNext: ./deploy-local.sh --home {home.root}; it continues with this step\n" in said


def test_the_failure_is_reported_even_if_the_bundle_cannot_be_written(home, scripted, capsys, monkeypatch):
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("plumbline.diagnose.write_bundle", full)
    error = StepError("initdb ended with an error", component="postgres", exit_code=1)
    raised, said = _fail(home, scripted, error, capsys, step="postgres")
    assert raised is error
    assert "initdb ended with an error" in said
    assert "could not be written: [Errno 28] No space left on device" in said
    assert "Next:" in said


def test_the_failure_is_reported_even_if_the_target_does_not_answer(home, scripted, capsys, monkeypatch):
    def away(*_):
        raise StepError("the engine does not answer")

    for way in ("stack", "log_tail", "describe"):
        monkeypatch.setattr(scripted, way, away)
    _, said = _fail(home, scripted, StepError("it went", component=FAILING, hint="start the engine"), capsys)
    assert "  it went\n" in said
    assert "unknown: the engine does not answer" in said
    assert "the engine does not answer" in (_bundle(home) / "status.json").read_text()
    assert "it went" in (_bundle(home) / "occasion.txt").read_text()
    assert said.rstrip().endswith("Next: start the engine")


def test_all_preflight_problems_are_reported_and_nothing_changes(home, scripted, capsys, listing, tmp_path):
    scripted.preflight_problems = ["port 8080 is taken", "no caddy", "only 3 MiB free"]
    with pytest.raises(PreflightError) as caught:
        deploy.up(home, scripted, "x")
    assert caught.value.problems == scripted.preflight_problems
    said = capsys.readouterr().err
    assert "Nothing was changed. Fix these 3 problems:" in said
    for problem in scripted.preflight_problems:
        assert f"  - {problem}\n" in said
    assert scripted.done == []
    assert listing(tmp_path) == {}
