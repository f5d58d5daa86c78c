"""The judge: it passes a fault that is seen as the catalogue says, and nothing else."""

from __future__ import annotations

import pytest

from plumbline.verification.faults.areas import areas
from plumbline.verification.faults.fault import Fault
from plumbline.verification.faults.judge import Outcome, complaints

RED = {"smoke/test_a.py::test_one": "wanted 403", "smoke/test_a.py::test_two[case]": "wanted 404"}
SEEN = {"smoke/test_a.py::test_one[x]": "wanted 403, got 200", "smoke/test_a.py::test_two[case]": "wanted 404, got 200"}
OTHERS = {"smoke/test_a.py::test_one[y]", "smoke/test_a.py::test_two[other]", "smoke/test_b.py::test_three"}
ALL = [pytest.param(fault, id=fault.name) for area in areas() for fault in area.faults]


def seen(fault: Fault) -> Outcome:
    """Return the outcome that the catalogue asks for."""
    return Outcome({"smoke/test_of_another.py::test_passes"}, {name: f"… {says} …" for name, says in fault.red.items()})


def test_a_fault_that_is_seen_is_passed() -> None:
    assert complaints(RED, Outcome(OTHERS, SEEN)) == []


def test_a_fault_that_nothing_sees_fails() -> None:
    found = complaints(RED, Outcome(OTHERS | SEEN.keys(), {}))
    assert found == [
        "smoke/test_a.py::test_one stayed green; wanted it red, saying 'wanted 403'",
        "smoke/test_a.py::test_two[case] stayed green; wanted it red, saying 'wanted 404'",
    ]


def test_a_check_that_was_not_made_saw_nothing() -> None:
    found = complaints(RED, Outcome({"smoke/test_b.py::test_three"}, {}))
    assert [sentence for sentence in found if "was not run" in sentence] == found
    assert len(found) == 2


def test_one_case_that_stays_green_is_not_hidden_by_another() -> None:
    outcome = Outcome(OTHERS, {**SEEN, "smoke/test_a.py::test_two[other]": "wanted 404, got 200"})
    (found,) = complaints(RED, outcome)
    assert found.startswith("smoke/test_a.py::test_two[other] is red as well")


def test_another_check_that_goes_red_fails() -> None:
    (found,) = complaints(RED, Outcome(OTHERS, {**SEEN, "smoke/test_b.py::test_three": "a fixture broke"}))
    assert found == "smoke/test_b.py::test_three is red as well, which the catalogue does not say: a fixture broke"


def test_a_message_that_does_not_say_it_fails() -> None:
    (found,) = complaints(RED, Outcome(OTHERS, {**SEEN, "smoke/test_a.py::test_one[z]": "timed out"}))
    assert found == "smoke/test_a.py::test_one[z] is red, but does not say 'wanted 403': timed out"


def test_a_fault_without_a_check_fails() -> None:
    assert complaints({}, Outcome(OTHERS, {})) == ["the catalogue names no check that must see it"]


@pytest.mark.parametrize("fault", ALL)
def test_the_whole_catalogue_inverted_is_red(fault: Fault) -> None:
    assert complaints(fault.red, seen(fault)) == []
    green = Outcome(set(fault.red), dict.fromkeys(seen(fault).passed, "went red instead"))
    assert len(complaints(fault.red, green)) == len(fault.red) + 1
    silent = Outcome(set(), dict.fromkeys(fault.red, "red without a word"))
    assert len(complaints(fault.red, silent)) == len(fault.red)
