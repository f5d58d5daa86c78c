from __future__ import annotations

import logging

import pytest
from log_sink import self_log
from log_sink.buffer import Buffer, Cell
from log_sink.self_log import SelfLogHandler

WARNING = Cell("log-sink", "warning")


@pytest.fixture
def buffer() -> Buffer:
    return Buffer()


@pytest.fixture
def log(buffer: Buffer) -> logging.Logger:
    logger = logging.Logger("log_sink.test")
    logger.addHandler(SelfLogHandler(buffer))
    return logger


def test_the_same_warning_is_recorded_once_and_counted(buffer: Buffer, log: logging.Logger) -> None:
    for number in range(100):
        log.warning("Redis is away, attempt %d", number)
    batch = buffer.take_now()
    assert [raw["message"] for _, raw in batch.entries] == ["Redis is away, attempt 0"]
    assert batch.dropped == {WARNING: 99}


def test_repeats_are_reported_with_the_next_one(
    buffer: Buffer, log: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        log.warning("again")
    monkeypatch.setattr(self_log, "REPEAT_S", 0.0)
    log.warning("again")
    newest = buffer.take_now().entries[-1][1]
    assert newest["fields"]["collapsed"] == 2


def test_different_warnings_are_all_recorded(buffer: Buffer, log: logging.Logger) -> None:
    log.warning("one")
    log.error("two")
    log.info("not at all")
    assert buffer.take_now().arrived == {WARNING: 1, Cell("log-sink", "error"): 1}


def test_the_number_of_remembered_texts_is_limited(buffer: Buffer) -> None:
    handler = SelfLogHandler(buffer)
    logger = logging.Logger("log_sink.test")
    logger.addHandler(handler)
    for number in range(1000):
        logger.warning(f"trouble {number}")
    assert len(handler._seen) <= 64
