"""The checks of a fault are waited for as long as they go on."""

from __future__ import annotations

import multiprocessing
from multiprocessing.connection import Connection

import pytest

from plumbline.verification.faults.checks import outcome_of
from plumbline.verification.faults.judge import Outcome

LONG_S = 60


@pytest.fixture
def pipe() -> tuple[Connection, Connection]:
    return multiprocessing.Pipe(duplex=False)


def test_the_outcome_follows_the_names_of_checks(pipe: tuple[Connection, Connection]) -> None:
    ours, theirs = pipe
    for told in ("smoke/test_a.py::test_one", "smoke/test_a.py::test_two", Outcome(passed={"both"})):
        theirs.send(told)
    assert outcome_of(ours, LONG_S) == Outcome(passed={"both"})


def test_a_check_that_does_not_end_is_named(pipe: tuple[Connection, Connection]) -> None:
    ours, theirs = pipe
    theirs.send("smoke/test_a.py::test_one")
    (said,) = outcome_of(ours, 0.01).failed.values()
    assert said == "did not go on within 0.01 s; the last that began: smoke/test_a.py::test_one"


def test_a_process_that_ends_without_an_outcome_is_told(pipe: tuple[Connection, Connection]) -> None:
    ours, theirs = pipe
    theirs.close()
    assert list(outcome_of(ours, LONG_S).failed) == ["the checks"]
