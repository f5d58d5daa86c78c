"""More is logged than a process writes: what its own log has then, and that the forwarder is offered everything."""

from __future__ import annotations

import logging

import orjson
import pytest
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


def test_all_is_offered_and_a_part_is_written_with_the_number_left_out(logger, offered, capsys, clock):
    for number in range(10):
        logger.warning("m%d", number, extra={"fields": {"number": number}} if number % 2 else {"number": number})
    assert [entry["message"] for entry in offered.entries] == [f"m{number}" for number in range(10)]
    assert [entry["fields"] for entry in offered.entries] == [{"number": number} for number in range(10)]
    clock.now += 0.5
    logger.warning("not told yet")
    clock.now += 0.5
    logger.warning("calm again")
    assert written(capsys) == ["m0", "m1", "not told yet", "8 warnings and errors were left out here", "calm again"]


def test_each_level_is_offered_under_its_name(logger, offered):
    for _ in range(2):
        for name in LEVELS_KEPT:
            getattr(logger, name)("x")
    assert [entry["level"] for entry in offered.entries] == offered.levels == 2 * [*LEVELS_KEPT]


def test_information_is_written_in_full_and_offered_never(logger, offered, capsys):
    for number in range(5):
        logger.warning("m%d", number)
        logger.info("quiet %d", number)
        logger.debug("asked for %d", number)
    texts = written(capsys)
    assert [text for text in texts if text[0] == "m"] == ["m0", "m1"]
    assert len(texts) == 12
    assert len(offered.lines) == 5


def test_a_traceback_takes_more_of_what_is_written(logger, offered, capsys, monkeypatch):
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


def test_a_record_that_cannot_be_rendered_costs_its_caller_nothing_and_is_counted(logger, offered, capsys, monkeypatch):
    monkeypatch.setattr(handler, "line_from", lambda *_: 1 / 0)
    logger.warning("an error of ours")
    assert (offered.lines, offered.dropped) == ([], ["warning"])
    assert "ZeroDivisionError" in capsys.readouterr().err
