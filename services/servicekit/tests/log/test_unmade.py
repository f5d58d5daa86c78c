"""In a flood no record is made of a warning, unless somebody but the handler would see it: what shows either."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from servicekit.log import handler as logs

from plumbline import ROOT

Family = tuple[logs.Logger, logs.Logger, logs.JsonHandler]


@pytest.fixture
def made() -> Iterator[list[str]]:
    """What became a record, as it was said."""
    made: list[str] = []

    def make(*known: Any, **more: Any) -> logging.LogRecord:
        record = logging.LogRecord(*known, **more)
        made.append(record.getMessage())
        return record

    before = logging.getLogRecordFactory()
    logging.setLogRecordFactory(make)
    yield made
    logging.setLogRecordFactory(before)


@pytest.fixture
def family(monkeypatch: pytest.MonkeyPatch, clock: Any, offered: Any) -> Family:
    """Two loggers, the first with the handler that is in a flood already, the second below it; and the handler."""
    monkeypatch.setattr(logs, "_BURST", 0)
    root, leaf = logs.Logger("root", logging.DEBUG), logs.Logger("root.leaf", logging.DEBUG)
    leaf.parent = root
    handler = logs.JsonHandler("backend", offered)
    root.addHandler(handler)
    root.warning("the first is written")
    return root, leaf, handler


def test_of_an_ordinary_warning_no_record_is_made(family, made, capsys):
    _, leaf, _ = family
    leaf.warning("lost %d of %d", 1, 2)
    leaf.error("lost", extra={"fields": {"count": 1}})
    leaf.critical("lost", extra={"fields": {}})
    leaf.warning("lost", exc_info=False, stacklevel=2)
    leaf.warning("lost", extra={"document_id": 5})
    assert made == []
    assert capsys.readouterr().err == ""


def _listen(_root: logs.Logger, leaf: logs.Logger, _handler: logs.JsonHandler) -> None:
    leaf.addHandler(logging.NullHandler())


def _listen_above(root: logs.Logger, _leaf: logs.Logger, _handler: logs.JsonHandler) -> None:
    root.addHandler(logging.NullHandler())


def _hear_twice(_root: logs.Logger, leaf: logs.Logger, handler: logs.JsonHandler) -> None:
    leaf.addHandler(handler)


def _keep_to_itself(_root: logs.Logger, leaf: logs.Logger, _handler: logs.JsonHandler) -> None:
    leaf.propagate = False


def _filter(_root: logs.Logger, leaf: logs.Logger, _handler: logs.JsonHandler) -> None:
    leaf.addFilter(lambda _: True)


def _filter_above(_root: logs.Logger, _leaf: logs.Logger, handler: logs.JsonHandler) -> None:
    handler.addFilter(lambda _: True)


def _hear_less(_root: logs.Logger, _leaf: logs.Logger, handler: logs.JsonHandler) -> None:
    handler.setLevel(logging.ERROR)


def _calm_down(_root: logs.Logger, _leaf: logs.Logger, handler: logs.JsonHandler) -> None:
    handler.next_at = 0.0


def _forward_nothing(_root: logs.Logger, _leaf: logs.Logger, handler: logs.JsonHandler) -> None:
    handler.forwarder = None


def _do_more(root: logs.Logger, _leaf: logs.Logger, handler: logs.JsonHandler) -> None:
    other = type("Other", (logs.JsonHandler,), {})("backend", handler.forwarder)
    other.next_at = handler.next_at
    root.handlers[:] = [other]


_ARRANGEMENTS = [
    _listen, _listen_above, _hear_twice, _keep_to_itself, _filter, _filter_above, _hear_less, _calm_down,
    _forward_nothing, _do_more,
]  # fmt: skip


@pytest.mark.parametrize("arrange", _ARRANGEMENTS)
def test_whoever_else_would_see_a_record_gets_one(family, made, arrange: Callable[..., None]):
    arrange(*family)
    family[1].warning("seen")
    assert made == ["seen"]


@pytest.mark.parametrize("arrange", _ARRANGEMENTS)
def test_who_would_see_one_is_found_out_anew_with_every_line_that_is_written(family, made, clock, arrange):
    root, leaf, handler = family
    leaf.warning("not made")
    clock.now = handler.next_at + 0.01
    root.warning("written")
    arrange(*family)
    leaf.warning("seen")
    assert made == ["written", "seen"]


def test_in_between_it_is_not_found_out(family, made):
    family[1].warning("not made")
    _listen(*family)
    family[1].warning("not made")
    assert made == []


@pytest.mark.parametrize("seconds", [-3600, 3600])
def test_a_wall_clock_that_is_set_neither_prolongs_a_flood_nor_ends_it(family, made, clock, seconds):
    _, leaf, handler = family
    leaf.warning("not made")
    clock.ahead = seconds
    leaf.warning("not made")
    clock.now = handler.next_at + 0.01
    leaf.warning("written")
    assert made == ["written"]


@pytest.mark.parametrize(
    "said",
    [
        {"exc_info": (ValueError, ValueError("x"), None)},
        {"stack_info": True},
        {"extra": {"fields": {"a": 1}, "document_id": 5}},
        {"extra": {"document_id": [5]}},
        {"extra": {("a", "tuple"): 5}},
        {"extra": OrderedDict(document_id=5)},
        {"extra": {"fields": None}},
        {"extra": {"fields": [1]}},
        {"extra": {"fields": OrderedDict(a=1)}},
        {"extra": {"fields": {"deep": {"a": 1}}}},
        {"extra": {"fields": {"large": "v" * 5000}}},
        {"extra": {"fields": {"k" * 5000: 1}}},
        {"extra": {"fields": dict.fromkeys(map(str, range(1000)))}},
    ],
    ids=lambda said: next(iter(said)),
)
def test_what_only_a_record_can_tell_becomes_one(family, made, said: dict[str, Any]):
    family[1].warning("told", **said)
    assert made == ["told"]


@pytest.mark.parametrize(
    ("message", "args"), [(Exception("x"), ()), ([1], ()), ("%s", ([1],)), ("%(a)s", ({"a": 1},)), ("m" * 5000, ())]
)
def test_a_message_that_may_change_or_is_long_becomes_a_record(family, made, message, args):
    family[1].warning(message, *args)
    assert len(made) == 1


def test_a_level_that_is_off_stays_off(family, made):
    _, leaf, handler = family
    leaf.setLevel(logging.ERROR)
    leaf.warning("nobody wants it")
    leaf.setLevel(logging.DEBUG)
    leaf.disabled = True
    leaf.warning("nobody wants it")
    assert made == []
    assert handler.unwritten.total() == 0


def test_a_name_that_records_have_already_is_refused_in_a_flood_as_ever(family):
    with pytest.raises(KeyError, match="levelno"):
        family[1].warning("x", extra={"levelno": 5})


_LOGGERS = """
import logging
early, own = logging.getLogger("a.early"), type("Own", (logging.Logger,), {})
logging.setLoggerClass(own)
other = logging.getLogger("a.other")
from servicekit.log import handler as logs
from servicekit.log.setup import configure_logging
configure_logging("backend", "info")
print(*(type(logging.getLogger(name)) is kind for name, kind in (
    ("a.early", logs.Logger), ("late", logs.Logger), ("a.other", own), ("root", logging.RootLogger))))
early.warning("a", stack_info=True)
"""


def test_loggers_of_modules_that_were_imported_before_are_ours_as_well():
    done = subprocess.run(
        [sys.executable, "-c", _LOGGERS],
        capture_output=True, text=True, check=True, timeout=60,
        env={"PYTHONPATH": str(ROOT / "services" / "servicekit"), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert done.stdout.split() == ["True"] * 4
    assert '"message":"a"' in done.stderr
