"""A wait for a start ends with the process, and reports why it ended."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from plumbline.errors import StepError
from plumbline.home import Home
from plumbline.targets.embedded import waiting
from plumbline.targets.embedded.supervisor import Program, Supervisor

# The last line of the next start must not hide the cause, so it is a line that says so.
# Longer than the second after which supervisord takes it to be running, and starts it again without a pause.
ENDS = "import time; print('earlier', flush=True); time.sleep({}); raise SystemExit('cannot start: COLOUR is wrong')"
SERVERS_END = """import subprocess, sys; \
[subprocess.run([sys.executable, '-c', 'import time; time.sleep(0.1); raise ValueError(1)']) for _ in range(1000)]"""


def wait(home: Home, supervisor: Supervisor, name: str = "one") -> None:
    before = waiting.written(home.logs, name)
    supervisor.start(name)
    starting = waiting.Starting(supervisor, home.logs, name, before)
    waiting.until_ready({name: starting}, {name: lambda: "does not answer"})


@pytest.mark.parametrize("lives_s", [0.0, 1.5])
def test_a_process_that_ends_is_named_at_once_with_the_cause(
    home: Home, supervisor: Supervisor, program: Callable[..., Program], lives_s: float
) -> None:
    supervisor.apply([program(code=ENDS.format(lives_s))])
    with pytest.raises(StepError) as failed:
        wait(home, supervisor)
    assert str(failed.value) == ("one ended before it was ready (exit status 1): cannot start: COLOUR is wrong")
    assert failed.value.exit_code == 1


def test_the_cause_is_not_that_of_an_earlier_start(
    home: Home, supervisor: Supervisor, program: Callable[..., Program]
) -> None:
    (home.logs / "one.log").write_text("FATAL: of yesterday\n")
    supervisor.apply([program(code=ENDS.format(0))])
    with pytest.raises(StepError, match="cannot start: COLOUR is wrong"):
        wait(home, supervisor)


def test_server_processes_that_keep_ending_are_named(
    home: Home, supervisor: Supervisor, program: Callable[..., Program]
) -> None:
    supervisor.apply([program(code=SERVERS_END)])
    with pytest.raises(StepError, match=r"end as soon as they start, \d so far: ValueError: 1"):
        wait(home, supervisor)


def test_one_that_ends_is_named_while_another_is_still_starting(
    home: Home, supervisor: Supervisor, program: Callable[..., Program]
) -> None:
    supervisor.apply([program("slow"), program("two", ENDS.format(1.5))])
    starting = {}
    for name in ("slow", "two"):
        supervisor.start(name)
        starting[name] = waiting.Starting(supervisor, home.logs, name, 0)
    began = time.monotonic()
    with pytest.raises(StepError, match="two ended before it was ready"):
        waiting.until_ready(starting, dict.fromkeys(starting, lambda: "does not answer"))
    assert time.monotonic() - began < waiting.PATIENCE_S


def test_probe_results_are_returned(home: Home, supervisor: Supervisor, program: Callable[..., Program]) -> None:
    supervisor.apply([program()])
    supervisor.start("one")
    starting = {"one": waiting.Starting(supervisor, home.logs, "one", 0)}
    answers = iter(["not yet", None])
    assert waiting.until_ready(starting, {"one": lambda: next(answers)}) == {"one": None}
    assert waiting.until_ready(starting, {"one": lambda: "password"}, ("password",)) == {"one": "password"}


BUSY = "while True: pass"


def test_one_that_works_is_waited_for_and_one_that_does_not_is_named(
    home: Home, supervisor: Supervisor, program: Callable[..., Program], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "PATIENCE_S", 1.0)
    monkeypatch.setattr(waiting, "_WORK_S", 0.01)
    supervisor.apply([program("busy", BUSY), program("idle")])
    starting = {}
    for name in ("busy", "idle"):
        supervisor.start(name)
        starting[name] = waiting.Starting(supervisor, home.logs, name, 0)
    began = time.monotonic()

    def later() -> str | None:
        return None if time.monotonic() - began > 2.5 else "does not answer"

    assert waiting.until_ready({"busy": starting["busy"]}, {"busy": later}) == {"busy": None}
    with pytest.raises(StepError, match=r"^idle was not ready after [\d.]+ s: does not answer$"):
        waiting.until_ready({"idle": starting["idle"]}, {"idle": lambda: "does not answer"})


def test_one_that_works_for_ever_is_named_in_the_end(
    home: Home, supervisor: Supervisor, program: Callable[..., Program], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "MOST_S", 0.5)
    supervisor.apply([program(code=BUSY)])
    with pytest.raises(StepError, match=r"^one was not ready after [\d.]+ s: does not answer$"):
        wait(home, supervisor)
