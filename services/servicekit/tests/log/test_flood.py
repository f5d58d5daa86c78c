"""More said than is kept: what a process writes and hands over then, and what waits meanwhile."""

from __future__ import annotations

import logging
import pickle
import weakref
from datetime import datetime

import orjson
import pytest
from servicekit import context
from servicekit.log import forwarder
from servicekit.log import handler as logs


@pytest.fixture(params=[logging.Logger, logs.Logger], ids=["with records", "without"])
def flood(request, monkeypatch, capsys, clock, offered):
    """A logger that may write two lines while the clock stands still; and what it offers."""
    monkeypatch.setattr(logs, "_BURST", 2)
    logger = request.param("test.flood", logging.DEBUG)
    logger.addHandler(logs.JsonHandler("backend", offered))
    return logger, offered


def test_a_flood_is_offered_whole_and_written_in_part(flood, capsys, clock):
    logger, offered = flood
    for number in range(10):
        logger.warning("m%d", number, extra={"fields": {"number": number}} if number % 2 else {"number": number})
    assert [entry["message"] for entry in offered.entries] == [f"m{number}" for number in range(10)]
    assert [entry["fields"] for entry in offered.entries] == [{"number": number} for number in range(10)]
    clock.now += 0.5
    logger.warning("not told yet")
    clock.now += 0.5
    logger.warning("calm again")
    written = [orjson.loads(line)["message"] for line in capsys.readouterr().err.splitlines()]
    assert written == ["m0", "m1", "not told yet", "8 warnings and errors were left out here", "calm again"]


def test_each_says_how_bad_it_is_and_whose_it_is(flood):
    logger, offered = flood
    for _ in range(2):
        for name in forwarder.LEVELS:
            getattr(logger, name)("x")
    assert [entry["level"] for entry in offered.entries] == offered.levels == 2 * [*forwarder.LEVELS]
    assert {(entry["service"], entry["logger"]) for entry in offered.entries} == {("backend", "test.flood")}


def test_each_says_when_it_was(flood, clock):
    logger, offered = flood
    clock.ahead = 1e9
    begun = clock.now
    for _ in range(4):
        logger.warning("x")
        clock.now += 0.02
    said = [datetime.fromisoformat(entry["ts"]).timestamp() - clock.ahead - begun for entry in offered.entries]
    assert said == pytest.approx([0, 0.02, 0.04, 0.06], abs=0.001)


def test_what_is_given_instead_of_fields_is_told_in_a_flood_as_ever(flood):
    logger, offered = flood
    for value in ([], [], 0, [], 0):
        logger.warning("x", extra={"fields": value})
    told = [entry["fields"] for entry in offered.entries]
    assert told[1] == told[3] != {}
    assert told[2] == told[4] != told[3]


def test_in_a_flood_what_somebody_asked_for_is_written_all_the_same(flood, capsys):
    logger, offered = flood
    for number in range(5):
        logger.warning("m%d", number)
        logger.info("quiet %d", number)
        logger.debug("asked for %d", number)
    written = [orjson.loads(line)["message"] for line in capsys.readouterr().err.splitlines()]
    assert [text for text in written if text[0] == "m"] == ["m0", "m1"]
    assert len(written) == 12
    assert len(offered.lines) == 5


def test_what_a_flood_says_is_what_was_said_then(flood):
    logger, offered = flood
    fields, deep = {"state": "then"}, {"states": ["then"]}
    token = context.request_id.set("r-12345678")
    try:
        for number in range(4):
            logger.warning("m%d", number, extra={"fields": fields if number < 3 else deep})
    finally:
        context.request_id.reset(token)
    fields["state"] = deep["states"][0] = "now"
    assert {entry["request_id"] for entry in offered.entries} == {"r-12345678"}
    assert "now" not in str(offered.entries)
    assert "then" in str(offered.entries[3])


def test_tracebacks_in_a_flood_are_offered_whole_and_take_more_of_what_is_written(flood, capsys, monkeypatch):
    logger, offered = flood
    monkeypatch.setattr(logs, "_BURST", 15)
    for number in range(5):
        try:
            raise LookupError(f"cause {number}, password=hunter2")
        except LookupError:
            logger.exception("could not")
    said = [entry["exception"].splitlines()[-1] for entry in offered.entries]
    assert said == [f"LookupError: cause {number}, password=[redacted]" for number in range(5)]
    assert capsys.readouterr().err.count("\n") < 3


def test_what_waits_in_a_flood_is_small(flood):
    logger, offered = flood
    logger.warning("x")
    logger.warning("x")
    logger.warning("m" * 10_000_000)
    logger.warning("x", extra={"fields": {"large": "v" * 10_000_000}})
    logger.warning("%s and %s", "x", "m" * 10_000_000)
    assert all(len(pickle.dumps(line)) < 20_000 for line in offered.lines)


def test_a_record_does_not_wait_with_what_is_kept_of_it(flood):
    logger, offered = flood
    for number in range(4):
        record = logger.makeRecord("app", logging.WARNING, "(unknown file)", 0, "m%d", (number,), None)
        gone = weakref.ref(record)
        logger.handle(record)
        del record
    assert gone() is None
    assert [entry["message"] for entry in offered.entries] == ["m0", "m1", "m2", "m3"]


def test_a_filter_holds_in_a_flood_as_well(flood):
    logger, offered = flood
    logger.handlers[0].addFilter(lambda record: "no" not in record.getMessage())
    for text in ("a", "b", "no c", "d", "no e"):
        logger.warning(text)
    assert [entry["message"] for entry in offered.entries] == ["a", "b", "d"]


def test_what_cannot_be_kept_in_a_flood_costs_its_caller_nothing(flood, capsys, monkeypatch):
    logger, _ = flood
    logger.warning("x")
    logger.warning("x")
    for name in ("kept_fields", "later_line_from"):
        monkeypatch.setattr(logs, name, lambda *_: 1 / 0)
    logger.warning("a fault of ours")
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_what_waits_in_a_flood_says_what_was_so_when_it_was_logged(flood):
    logger, offered = flood
    logger.warning("x")
    logger.warning("x")
    changing, named = ["before"], {"name": ["before"]}
    token = context.request_id.set("the-request-that-said-it")
    try:
        logger.warning("%s", changing)
        logger.warning("%d of %s", 1, "ten", extra={"fields": {"n": 1}})
        logger.warning("%(name)s", named)
    finally:
        context.request_id.reset(token)
    changing[0] = named["name"][0] = "after"
    first, second, third = offered.entries[2:]
    assert (first["message"], first["request_id"]) == ("['before']", "the-request-that-said-it")
    assert (second["message"], second["request_id"]) == ("1 of ten", "the-request-that-said-it")
    assert second["fields"] == {"n": 1}
    assert third["message"] == "['before']"


def test_what_waits_in_a_flood_keeps_no_frame_alive(flood):
    logger, offered = flood
    logger.warning("x")
    logger.warning("x")

    class Held:
        pass

    local = Held()
    gone = weakref.ref(local)

    def fail(held: object) -> None:
        raise ValueError(type(held).__name__)

    try:
        fail(local)
    except ValueError:
        logger.warning("it failed", exc_info=True)
    del local
    assert gone() is None
    assert "ValueError: Held" in offered.entries[2]["exception"]
