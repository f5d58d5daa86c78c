"""What a program wrote last says why it ended, in one line."""

from __future__ import annotations

import json

import pytest

from plumbline.causes import cause, named
from plumbline.errors import StepError

TRACE = """\
Traceback (most recent call last):
  File "x.py", line 1, in <module>
    import nothing
ModuleNotFoundError: No module named 'nothing'"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("starting\nready\n\n", "ready"),
        (f"starting\n{TRACE}", "ModuleNotFoundError: No module named 'nothing'"),
        (f"{TRACE}\n\nDuring handling of the above exception, another exception occurred:\n\n{TRACE}\nstopping",
         "ModuleNotFoundError: No module named 'nothing'"),
        ("LOG:  starting\nFATAL:  lock file exists\nHINT:  Is another one running?\nLOG:  database system is shut down",
         "FATAL: lock file exists"),
        ("Error: adapting config: no directive x\nbye", "Error: adapting config: no directive x"),
        (json.dumps({"level": "info", "message": "starting"}), "starting"),
        (json.dumps({"level": "error", "message": "worker died", "exception": TRACE}) + "\n"
         + json.dumps({"level": "info", "message": "stopping"}),
         "ERROR worker died: ModuleNotFoundError: No module named 'nothing'"),
        (f"{TRACE}\n" + json.dumps({"level": "error", "message": "Unexpected exit from worker-1"}),
         "ModuleNotFoundError: No module named 'nothing'"),
        ('{"level": "error"', '{"level": "error"'),
        ("x" * 400, "…"),
    ],
)  # fmt: skip
def test_the_cause_is_the_line_that_says_why(text: str, expected: str) -> None:
    assert cause(text.splitlines()) == expected


def test_the_cause_is_added_to_the_error_of_a_program_that_ended() -> None:
    with pytest.raises(StepError) as failed, named(lambda component, _: [f"{component}: no such colour"]):
        raise StepError("one ended", component="one", exit_code=1, hint="choose another")
    assert str(failed.value) == "one ended: one: no such colour"
    assert (failed.value.component, failed.value.exit_code, failed.value.hint) == ("one", 1, "choose another")
    for error in (StepError("one is not ready", component="one"), StepError("nothing answers", exit_code=1)):
        with pytest.raises(StepError) as failed, named(lambda *_: ["no such colour"]):
            raise error
        assert failed.value is error
