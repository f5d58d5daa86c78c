"""What a program wrote last says why it ended, in one line."""

from __future__ import annotations

import json

import pytest

from plumbline.causes import cause

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
