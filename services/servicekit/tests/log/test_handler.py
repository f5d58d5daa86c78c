"""Every record becomes one bounded JSON line, for any content."""

from __future__ import annotations

import io
import logging
import math
import os
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from servicekit import context, facts
from servicekit.log import handler, lines
from servicekit.log.setup import configure_logging

from plumbline import ROOT
from plumbline.verification.throwaway import wait_until


class _Log:
    """A logger of its own, and what it wrote to standard error."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.logger = logging.Logger("test.logs", logging.DEBUG)  # no parent, so only the handler of the test
        self._capsys = capsys
        self._written = ""

    @property
    def written(self) -> str:
        self._written += self._capsys.readouterr().err
        return self._written

    @property
    def entry(self) -> dict[str, Any]:
        """The one entry that was written."""
        (line,) = self.written.splitlines()
        entry: dict[str, Any] = orjson.loads(line)
        return entry


@pytest.fixture
def log(capsys: pytest.CaptureFixture[str]) -> _Log:
    log = _Log(capsys)
    log.logger.addHandler(handler.JsonHandler("backend", None))
    return log


def test_an_entry_has_the_agreed_shape(log):
    before = datetime.now(UTC)
    token = context.request_id.set("r-12345678")
    try:
        log.logger.warning("disk %s is %d %% full", "sda", 93, extra={"fields": {"disk": "sda", "used": 93}})
    finally:
        context.request_id.reset(token)
    entry = log.entry
    at = datetime.fromisoformat(entry.pop("ts"))
    assert abs((at - before).total_seconds()) < 60
    assert at.utcoffset() is not None
    assert entry == {
        "level": "warning",
        "service": "backend",
        "logger": "test.logs",
        "message": "disk sda is 93 % full",
        "request_id": "r-12345678",
        "exception": None,
        "fields": {"disk": "sda", "used": 93},
    }


@pytest.mark.parametrize(
    ("number", "name"), [(10, "debug"), (20, "info"), (25, "info"), (30, "warning"), (40, "error"), (50, "critical")]
)
def test_levels_have_the_agreed_names(log, number, name):
    log.logger.log(number, "x")
    assert log.entry["level"] == name


def test_an_exception_is_kept_up_to_the_line_that_names_it(log):
    def here(depth: int) -> None:
        if depth == 0:
            raise LookupError("the very cause")
        there(depth)

    def there(depth: int) -> None:  # two functions that alternate, because a traceback folds a repeated line
        here(depth - 1)

    try:
        here(200)
    except LookupError:
        log.logger.exception("could not")
    exception = log.entry["exception"]
    assert exception.endswith("LookupError: the very cause")
    assert len(exception) <= facts.ENTRY_MAX_BYTES


def test_exc_info_outside_of_an_exception_is_no_exception(log):
    log.logger.error("x", exc_info=True)
    assert log.entry["exception"] is None


class _Hostile:
    def __str__(self) -> str:
        raise RuntimeError("no")


class _Fraction(float):
    pass


class _SafeText(str):  # as Django's is
    def __str__(self) -> str:
        return self


class _HostileMapping(dict):
    def items(self) -> Any:
        raise RuntimeError("changed during iteration")


class _HostileList(list):
    def __len__(self) -> int:
        raise RuntimeError("no")


class _HostileNumber(int):
    def __abs__(self) -> int:
        raise RuntimeError("no")


class _HostileType:
    @property
    def __class__(self) -> Any:
        raise RuntimeError("no")


def _cycle() -> dict[str, Any]:
    a: dict[str, Any] = {}
    a["self"] = a
    return a


def _wide_cycle() -> list[Any]:
    a: list[Any] = []
    a.extend([a] * 1000)
    return a


def _deep() -> list[Any]:
    a: list[Any] = []
    for _ in range(100_000):
        a = [a]
    return a


@pytest.mark.parametrize(
    "fields",
    [
        _cycle(), _wide_cycle(), _deep(), {"x": "y" * 10_000_000}, {str(n): "v" * 1000 for n in range(100_000)},
        {"x": [["z" * 900] * 50] * 50}, {_Hostile(): _Hostile()}, {(1, 2): {3, 4}}, {"x": b"\xff\x00"}, {"x": 2**80},
        {"x": -(10**5000)}, {"x": object}, {"x": _Fraction(0.5)}, {"x": [math.nan, math.inf]}, "a string", None, [1], 7,
        {_SafeText("key"): _SafeText("value")}, _HostileMapping(a=1), {"x": _HostileMapping(a=1)}, _HostileList([1]),
        {"x": _HostileNumber(1)}, {"x": _HostileType()}, {"password": _Hostile()},
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_fields_of_any_kind_become_a_bounded_entry(log, fields):
    log.logger.error("kept", extra={"fields": fields})
    assert log.entry["message"] == "kept"
    assert len(log.written) <= facts.ENTRY_MAX_BYTES


def test_ordinary_fields_pass_unchanged(log):
    fields = {"id": 2**53 - 1, "share": 0.25, "ok": True, "none": None, "list": [1, "zwei", {"drei": 3}], "text": "ü🙂"}
    log.logger.warning("x", extra={"fields": fields})
    assert log.entry["fields"] == fields


def test_all_extra_values_become_fields(log):
    log.logger.warning("x", extra={"document_id": 5, "db_password": "hunter2", "fields": {"page": 2}})
    assert log.entry["fields"] == {"page": 2, "document_id": 5, "db_password": "[redacted]"}


def test_extra_of_any_type_neither_raises_nor_loses_the_entry(log):
    log.logger.error("kept", extra={"cycle": _cycle(), "hostile": _Hostile(), "fields": [1]})
    assert log.entry["message"] == "kept"
    assert log.entry["fields"]["hostile"] == "<_Hostile>"


def test_one_hostile_field_does_not_lose_the_others(log):
    log.logger.error("kept", extra={"fields": {"bad": _HostileMapping(a=1), "good": 1}})
    assert log.entry["fields"] == {"bad": "<_HostileMapping>", "good": 1}


def test_numbers_that_a_browser_would_change_become_text(log):
    log.logger.warning("x", extra={"fields": {"id": 2**63 - 1, "small": 5}})
    assert log.entry["fields"] == {"id": str(2**63 - 1), "small": 5}


def test_cuts_are_marked(log):
    log.logger.warning("x", extra={"fields": {"text": "x" * 5000, "deep": [[[[[[["bottom"]]]]]]]}})
    cut = log.entry["fields"]
    assert cut["text"].endswith("…")
    assert "…" in str(cut["deep"])
    assert "bottom" not in str(cut["deep"])
    assert log.entry["truncated"] is True


def test_secrets_and_control_characters_are_removed(log):
    try:
        raise ValueError("cannot connect to postgresql://app_user:hunter2@db/app_db")
    except ValueError:
        fields = {"password": "hunter2", "headers": [("Authorization", "Bearer hunter2hunter2")]}
        log.logger.exception("token=%s \x1b[31mred\x00", "hunter2", extra={"fields": fields})
    assert "hunter2" not in log.written
    assert log.entry["message"] == "token=[redacted] red␀"


@given(
    message=st.text(alphabet=st.characters(codec=None)),
    secret=st.from_regex(r"hunter2[A-Za-z0-9]{8,20}", fullmatch=True),
    fields=st.recursive(
        st.none() | st.floats() | st.integers() | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner, inner),
        max_leaves=20,
    ),
)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_message_becomes_one_clean_line(message, secret, fields):
    record = logging.LogRecord("x", logging.ERROR, "", 0, message, (), None)
    record.fields = {"given": fields, "password": secret, "note": f"Authorization: Bearer {secret}"}
    line = lines.line_from(record, "backend")
    assert line.count(b"\n") == 1
    assert len(line) <= facts.ENTRY_MAX_BYTES
    assert secret.encode() not in line
    orjson.loads(line)


@pytest.mark.parametrize("message", ["\ud800 lone", "nul \0 byte", "two\nlines", "🙂" * 5000, 17, None, _Hostile()])
def test_messages_of_any_kind_become_one_line(log, message):
    log.logger.error(message)
    assert log.entry["level"] == "error"
    assert len(log.written) <= facts.ENTRY_MAX_BYTES


@pytest.mark.parametrize(
    ("message", "args"),
    [("%d rows", ("many",)), ("%s and %s", ("one",)), ("no place", ("surplus",)), ("%s", (_Hostile(),)), ("%z", (1,))],
)
def test_a_mistake_in_the_arguments_neither_raises_nor_loses_the_entry(log, message, args):
    log.logger.error(message, *args)
    entry = log.entry
    assert message in entry["message"]
    assert "could not be formatted" in entry["message"]


def test_a_closed_standard_error_does_not_raise_to_the_caller(log, monkeypatch):
    read, write = os.pipe()
    os.close(read)
    with io.TextIOWrapper(io.FileIO(write, "w"), write_through=True) as broken:
        monkeypatch.setattr(sys, "stderr", broken)
        log.logger.error("this has no reader")


_SERVICE = """
import logging, sys, warnings
from pathlib import Path
from servicekit.log.setup import configure_logging
from servicekit.inside import InternalSecret
configure_logging("backend", "info", (sys.argv[1], InternalSecret(Path(sys.argv[2]))))
log = logging.getLogger("app")
log.debug("d"); log.info("i"); log.warning("w"); log.error("e"); log.critical("c")
warnings.warn("old thing", DeprecationWarning)
"""


def test_a_process_forwards_only_warnings_and_worse_and_sends_them_before_it_ends(receiver, secret, tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", _SERVICE, receiver.url, tmp_path / "internal_secret"],
        capture_output=True, text=True, check=True, timeout=60,
        env={"PYTHONPATH": str(ROOT / "services" / "servicekit"), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    written = [orjson.loads(line) for line in done.stderr.splitlines()]
    assert [entry["level"] for entry in written] == ["info", "warning", "error", "critical", "warning"]
    wait_until(lambda: len(receiver.lines) == 4, "the forwarded lines arrive")
    assert receiver.entries == written[1:]
    assert written[-1]["logger"] == "py.warnings"


def test_configure_twice_writes_each_line_once(capsys):
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    try:
        assert configure_logging("a", "info") is None
        configure_logging("b", "warning")
        logging.getLogger("x").warning("once")
        logging.getLogger("x").info("never")
    finally:
        root.handlers[:] = before
        root.setLevel(level)
        logging.captureWarnings(False)
    entries = [orjson.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(entry["service"], entry["message"]) for entry in entries] == [("b", "once")]
