from __future__ import annotations

import json
import re
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from servicekit.log.clean import clean
from servicekit.log.entries import SIZE_MAX, build

from plumbline.verification.checks.texts import is_unsafe, unsafe_texts

# The machine may be busy, so there is no deadline.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
KEYS = {"ts", "level", "service", "logger", "message", "request_id", "exception", "fields"}
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=20), inner, max_size=5),
    max_leaves=30,
)


def made(raw: dict[str, Any]) -> dict[str, Any]:
    line = build(raw, "backend", "warning")
    assert len(line) <= SIZE_MAX
    assert b"\n" not in line
    assert b"\r" not in line
    return json.loads(line)


@given(
    st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(
            ("ts", "logger", "message", "request_id", "exception", "fields", "msg", "request", "status", "error"),
            json_values,
        ),
    )
)
@patient
def test_anything_becomes_a_safe_entry(raw: dict[str, Any]) -> None:
    entry = made(raw)
    assert entry.keys() - {"truncated"} == KEYS
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry["ts"])
    assert isinstance(entry["message"], str)
    assert entry["message"]
    assert isinstance(entry["fields"], dict)
    assert unsafe_texts(entry) == []


@given(st.text(alphabet=st.characters(codec=None)))
@patient
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    assert not is_unsafe(clean(text))
    assert clean(clean(text)) == clean(text)


@pytest.mark.parametrize(
    ("dirty", "tidy"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("nul\x00byte", "nul␀byte"),
        ("a\r\nb\rc", "a\nb\nc"),
        ("line\u2028sep\u2029", "line\nsep\n"),
        ("evil\u202etxt.exe", "evil\ufffdtxt.exe"),
        ("ordinary — text, ünïcode 🙂\tand\nlines", "ordinary — text, ünïcode 🙂\tand\nlines"),
    ],
)
def test_cleaning(dirty: str, tidy: str) -> None:
    assert clean(dirty) == tidy


def test_secrets_are_removed_from_message_exception_and_fields() -> None:
    raw = {
        "message": "cannot connect to postgresql://app_user:hunter2@db/app_db",
        "exception": "Traceback\n  File x\n  connect('password=hunter2')\nOperationalError: hunter2rest",
        "fields": {"password": "hunter2", "deep": [{"Authorization": ["Bearer hunter2"]}], "note": "token=hunter2"},
    }
    raw["exception"] = raw["exception"].replace("hunter2rest", "password=hunter2")
    assert b"hunter2" not in build(raw, "backend", "error")


def test_a_secret_at_the_cut_is_removed() -> None:
    pad = "x " * 8180
    entry = made({"message": f"{pad}password=hunter2hunter2 {'y ' * 9000}"})
    assert "hunter" not in entry["message"]
    assert entry["truncated"] is True


@pytest.mark.parametrize(
    "raw",
    [
        {"message": "m" * 1_000_000},
        {"message": '"\\' * 500_000},
        {"message": "m", "exception": "line\n" * 200_000 + "ValueError: the end"},
        {"message": "m", "fields": {f"k{i}": "v" * 5000 for i in range(1000)}},
        {"message": "é" * 9000, "exception": "ü" * 13000, "fields": {"a": "ö" * 5000, "b": "ö" * 5000}},
        {"message": "m", "fields": {"list": ["☃" * 4000] * 50}},
    ],
    ids=["message", "escapes", "exception", "many fields", "everything", "wide list"],
)
def test_huge_entries_are_cut_and_marked(raw: dict[str, Any]) -> None:
    entry = made(raw)
    assert entry["truncated"] is True
    assert entry["message"][0] == raw["message"][0]


def test_the_end_of_a_long_traceback_is_kept() -> None:
    entry = made({"message": "m", "exception": "frame\n" * 20_000 + "ValueError: the cause"})
    assert entry["exception"].endswith("ValueError: the cause")


def test_a_small_entry_is_not_marked() -> None:
    entry = made({"message": "m", "fields": {"a": 1}})
    assert "truncated" not in entry
    assert entry["fields"] == {"a": 1}


@pytest.mark.parametrize(
    "raw",
    [
        {"message": "m " * 10_000},
        {"message": "m", "exception": "line\n" * 20_000},
        {"message": "m", "fields": {"text": "v" * 5000}},
        {"message": "m", "fields": {str(number): number for number in range(60)}},
        {"message": "🙂" * 9000, "exception": "ü" * 13000},
    ],
    ids=["message", "exception", "field", "many fields", "bytes"],
)
def test_the_mark_of_a_cut_is_kept_when_an_entry_is_built_again(raw: dict[str, Any]) -> None:
    # A service builds the entry, and the log-sink builds it again.
    first = made({**raw, "ts": 1763845137})
    assert first["truncated"] is True
    assert made(first) == first


def test_pairs_and_names_in_bytes_are_names_too() -> None:
    headers = [(b"host", b"x"), (b"authorization", b"hunter2 or so"), ("x-api-key", "hunter2"), ["token", "hunter2"]]
    entry = made({"message": "m", "fields": {"headers": headers, b"db_password": b"hunter2"}})
    assert "hunter2" not in json.dumps(entry)
    assert entry["fields"]["headers"][0] == ["host", "x"]


def test_deep_structures_are_cut() -> None:
    deep: Any = "bottom"
    for _ in range(400):
        deep = [deep]
    entry = made({"message": "m", "fields": {"deep": deep}})
    assert "bottom" not in json.dumps(entry)
    assert entry["truncated"] is True


@pytest.mark.parametrize(
    ("given_ts", "shown"),
    [
        (1763845137.125, "2025-11-22T20:58:57.125Z"),
        ("2025-11-22T20:58:57.125+00:00", "2025-11-22T20:58:57.125Z"),
        ("2025-11-22T22:58:57.125+02:00", "2025-11-22T20:58:57.125Z"),
    ],
)
def test_times_are_utc(given_ts: object, shown: str) -> None:
    assert made({"message": "m", "ts": given_ts})["ts"] == shown


@pytest.mark.parametrize("bad", ["yesterday", 1e300, float("nan"), -1e18, True, [], None])
def test_an_invalid_time_becomes_now(bad: object) -> None:
    assert made({"message": "m", "ts": bad})["ts"].startswith("20")


@pytest.mark.parametrize("bad", ["has space", "<script>", "x" * 129, 7, "line\nbreak", ""])
def test_a_malformed_request_id_is_left_out(bad: object) -> None:
    assert made({"message": "m", "request_id": bad})["request_id"] is None


def test_stream_and_orjson_agree() -> None:
    line = build({"message": "m"}, "backend", "warning")
    assert orjson.loads(line) == json.loads(line)
