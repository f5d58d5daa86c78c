"""Searching and sampling the recorder's stream."""

from __future__ import annotations

import json

import pytest
import redis
from servicekit.facts import LOG_STREAM

from plumbline.stack import RedisAddress
from plumbline.verification.checks import recorder
from plumbline.verification.throwaway import wait_until


@pytest.fixture
def stream(redis_server):
    with redis.Redis.from_url(redis_server.admin_url, decode_responses=True) as client:
        client.delete(LOG_STREAM)
        yield client
        client.delete(LOG_STREAM)


def _add(client, message):
    entry = {"service": "backend", "level": "error", "message": message}
    client.xadd(LOG_STREAM, {"entry": json.dumps(entry)})


def test_entries_are_in_order(stream):
    for number in range(3):
        _add(stream, f"m{number}")
    assert [entry["message"] for entry in recorder.stream(stream)] == ["m0", "m1", "m2"]


def test_the_newest_match_is_found(stream):
    for message in ("match 1", "other", "match 2", "other"):
        _add(stream, message)
    assert recorder.wait_for(stream, lambda entry: "match" in entry["message"], "match")["message"] == "match 2"


def test_a_timeout_names_the_missing_entry_and_shows_others(stream, monkeypatch):
    monkeypatch.setattr(recorder, "TIMEOUT_S", 0.1)
    _add(stream, "something else")
    with pytest.raises(AssertionError, match=r"no entry of mine after [\d.]+ s") as caught:
        recorder.wait_for(stream, lambda entry: False, "entry of mine")
    assert "backend error something else" in str(caught.value)


def test_the_sampler_records_a_temporary_peak(stream, redis_server):
    with recorder.sample_length(redis_server.address) as lengths:
        for number in range(30):
            _add(stream, f"m{number}")
        wait_until(lambda: lengths.longest == 30, "the sampler sees the peak")
        stream.delete(LOG_STREAM)
    assert lengths.longest == 30
    assert lengths.samples > 1


def test_a_redis_that_cannot_be_sampled_fails_the_block(monkeypatch):
    monkeypatch.setattr(recorder, "TIMEOUT_S", 0.2)
    monkeypatch.setattr("threading.excepthook", lambda _: None)
    with (
        pytest.raises(AssertionError, match="could not be sampled"),
        recorder.sample_length(RedisAddress("redis://127.0.0.1:1/0")),
    ):
        pytest.fail("nothing was sampled")
