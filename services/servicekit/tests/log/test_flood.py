"""A flood of log records: the own log has a part of them, and the forwarder is offered all."""

from __future__ import annotations

import logging
import pickle
import weakref

import orjson
import pytest
from servicekit import context
from servicekit.facts import LEVELS_KEPT
from servicekit.log import handler


@pytest.fixture
def logger(monkeypatch, clock, offered):
    """A logger that may write two lines while the clock stands still."""
    monkeypatch.setattr(handler, "_BURST", 2)
    logger = logging.Logger("test.flood", logging.DEBUG)
    logger.addHandler(handler.JsonHandler("backend", offered))
    return logger


def written(capsys) -> list[str]:
    return [orjson.loads(line)["message"] for line in capsys.readouterr().err.splitlines()]


def test_all_lines_are_offered_and_a_part_is_written_with_the_number_left_out(logger, offered, capsys, clock):
    for number in range(10):
        logger.warning("m%d", number, extra={"fields": {"number": number}} if number % 2 else {"number": number})
    assert [entry["message"] for entry in offered.entries] == [f"m{number}" for number in range(10)]
    assert [entry["fields"] for entry in offered.entries] == [{"number": number} for number in range(10)]
    clock.now += 0.5
    logger.warning("not reported yet")
    clock.now += 0.5
    logger.warning("calm again")
    assert written(capsys) == ["m0", "m1", "not reported yet", "8 warnings and errors were left out here", "calm again"]


def test_each_level_is_offered_under_its_name(logger, offered):
    for _ in range(2):
        for name in LEVELS_KEPT:
            getattr(logger, name)("x")
    assert [entry["level"] for entry in offered.entries] == offered.levels == 2 * [*LEVELS_KEPT]


def test_information_is_always_written_and_never_offered(logger, offered, capsys):
    for number in range(5):
        logger.warning("m%d", number)
        logger.info("quiet %d", number)
        logger.debug("asked for %d", number)
    texts = written(capsys)
    assert [text for text in texts if text[0] == "m"] == ["m0", "m1"]
    assert len(texts) == 12
    assert len(offered.lines) == 5


def test_a_traceback_costs_more_of_the_rate_limit(logger, offered, capsys, monkeypatch):
    monkeypatch.setattr(handler, "_BURST", 15)
    logger.handlers = [handler.JsonHandler("backend", offered)]
    for number in range(5):
        try:
            raise LookupError(f"cause {number}, password=hunter2")
        except LookupError:
            logger.exception("could not")
    said = [entry["exception"].splitlines()[-1] for entry in offered.entries]
    assert said == [f"LookupError: cause {number}, password=[redacted]" for number in range(5)]
    assert len(written(capsys)) == 2


def test_a_record_that_cannot_be_rendered_raises_nothing_and_is_counted(logger, offered, capsys, monkeypatch):
    monkeypatch.setattr(handler, "render", lambda *_: 1 / 0)
    logger.warning("an error of ours")
    assert (offered.lines, offered.dropped) == ([], ["warning"])
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_a_waiting_line_has_the_values_of_the_time_it_was_logged(logger, offered):
    fields, deep, argument = {"state": "then"}, {"states": ["then"]}, ["then"]
    token = context.request_id.set("r-12345678")
    try:
        for given in (fields, fields, fields, deep):
            logger.warning("%s", argument, extra={"fields": given})
    finally:
        context.request_id.reset(token)
    fields["state"] = deep["states"][0] = argument[0] = "now"
    assert [entry["fields"] for entry in offered.entries] == [*[{"state": "then"}] * 3, {"states": ["then"]}]
    assert {(entry["message"], entry["request_id"]) for entry in offered.entries} == {("['then']", "r-12345678")}


def test_a_waiting_line_is_small_and_keeps_no_frame_alive(logger, offered):
    class Held:
        pass

    held = Held()
    gone = weakref.ref(held)

    def fail(_: object) -> None:
        raise ValueError

    for _ in range(3):
        try:
            fail(held)
        except ValueError:
            logger.warning("m" * 10_000_000, exc_info=True, extra={"fields": {"large": "v" * 10_000_000}})
    logger.warning("m" * 10_000_000)
    del held
    assert gone() is None
    assert all(len(pickle.dumps(line)) < 20_000 for line in offered.lines)
