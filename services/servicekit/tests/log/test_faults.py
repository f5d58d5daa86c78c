"""Errors of clients are counted by kind: they cost little and displace no entry of the stack itself."""

from __future__ import annotations

import ast
import logging
from pathlib import Path

import orjson
import pytest
from servicekit import context
from servicekit.log import faults
from servicekit.log.faults import client_fault, counted, kind_of, request_fault
from servicekit.log.forwarder import QUEUE_SIZE
from servicekit.log.handler import JsonHandler

from plumbline.verification.throwaway import wait_until


@pytest.fixture
def log():
    """A logger of its own, whose records go to the handlers that a test gives it."""
    log = logging.getLogger("tests.faults")
    log.propagate, log.handlers = False, []
    yield log
    log.handlers = []


def handle_by(log, forwarder=None):
    handler = JsonHandler("backend", forwarder)
    log.addHandler(handler)
    return handler


def written(capsys):
    return [orjson.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_fault_is_logged_with_its_kind_and_client(log, capsys):
    handle_by(log)
    given = context.forwarded_for.set("10.0.0.1, 203.0.113.9"), context.request_id.set("a-request")
    client_fault(log, "bad_token", "a session token was refused: %s", "signature", code="x")
    context.forwarded_for.reset(given[0])
    context.request_id.reset(given[1])
    (entry,) = written(capsys)
    assert (entry["kind"], entry["count"], entry["level"]) == ("client.bad_token", 1, "warning")
    assert (entry["message"], entry["request_id"]) == ("a session token was refused: signature", "a-request")
    assert entry["fields"] == {"code": "x", "address": "203.0.113.9"}


def test_texts_of_a_client_are_shortened(log, capsys):
    handle_by(log)
    client_fault(log, "bad_path", "refused", path="/" + "a" * 30_000, port=80)
    request_fault(log, ValueError("wrong"), "failed", path="/" + "b" * 30_000)
    first, second = (entry["fields"] for entry in written(capsys))
    assert (first, second) == ({"path": f"/{'a' * 498}…", "port": 80}, {"path": f"/{'b' * 498}…"})


def test_an_invalid_forwarded_address_is_left_out():
    given = context.forwarded_for.set("<script>")
    assert context.client_address() is None
    context.forwarded_for.reset(given)


def test_faults_do_not_enter_the_queue_and_displace_nothing(log, new_receiver, new_forwarder):
    receiver = new_receiver()
    forwarder = new_forwarder(receiver.url)
    handle_by(log, forwarder)
    log.error("of the stack itself")
    wait_until(lambda: forwarder._failures > 0, "the receiver is away")
    for number in range(20 * QUEUE_SIZE):
        client_fault(log, ("bad_token", "bad_frame")[number % 2], "number %d", number)
    for number in range(QUEUE_SIZE):
        log.warning("warning %d", number)
    receiver.start()
    wait_until(lambda: len(receiver.lines) == QUEUE_SIZE + 3, "all has arrived")
    told = {entry["kind"]: entry for entry in receiver.entries if "kind" in entry}
    assert {kind: entry["count"] for kind, entry in told.items()} == {
        "client.bad_token": 10 * QUEUE_SIZE, "client.bad_frame": 10 * QUEUE_SIZE,
    }  # fmt: skip
    assert told["client.bad_token"]["message"] == "number 0"
    assert {post.superseded for post in receiver.posts} == {None}


def test_faults_that_a_receiver_refuses_are_counted_as_dropped_one_by_one(log, receiver, new_forwarder):
    forwarder = new_forwarder(receiver.url)
    handle_by(log, forwarder)
    receiver.statuses = [413]
    receiver.hold()
    log.error("first")
    wait_until(lambda: receiver.seen == 1, "a request is under way")
    for _ in range(30):
        client_fault(log, "bad_token", "no")
    receiver.release.set()
    wait_until(lambda: forwarder._dropped["warning"] == 30 or receiver.seen > 2, "the faults were refused")
    log.error("last")
    wait_until(lambda: any(entry["message"] == "last" for entry in receiver.entries), "the last entry arrives")
    dropped = "".join(post.dropped or "" for post in receiver.posts)
    sent = sum(entry.get("count", 0) for entry in receiver.entries)
    assert ("level=warning;count=30" in dropped) != (sent == 30)


def test_a_flood_of_faults_leaves_room_in_the_own_log(log, capsys):
    handle_by(log)
    for _ in range(5000):
        client_fault(log, "bad_token", "no")
    log.warning("of the stack itself")
    entries = written(capsys)
    assert entries[-1]["message"] == "of the stack itself"
    assert len(entries) < 500


def test_an_exception_is_counted_by_the_place_that_raised_it(log, capsys):
    handle_by(log)

    def fail(text):
        raise ValueError(text)

    for text in ("one", "two"):
        try:
            fail(text)
        except ValueError as error:
            request_fault(log, error, "unforeseen", path=f"/{text}")
    first, second = written(capsys)
    assert first["kind"] == second["kind"]
    assert first["kind"].startswith("request.ValueError.test_faults:")
    assert first["level"] == "error"
    assert "ValueError: one" in first["exception"]
    assert first["fields"] == {"path": "/one"}
    with pytest.raises(ValueError, match="elsewhere") as elsewhere:
        raise ValueError("elsewhere")
    assert kind_of(elsewhere.value) != first["kind"]


@pytest.mark.parametrize("name", ["django.request", "django.security.DisallowedHost", "_granian", "asyncio"])
def test_warnings_of_frameworks_are_counted(name):
    record = logging.LogRecord(name, logging.ERROR, __file__, 1, "anything %s", ("x",), None)
    assert faults.kind_of_record(record) == f"request.{name}"


def test_warnings_of_the_stack_itself_are_not_counted():
    assert faults.kind_of_record(logging.makeLogRecord({"name": "backend.database", "levelno": logging.ERROR})) is None
    assert faults.kind_of_record(logging.makeLogRecord({"name": "backend", "counted_as": "no kind"})) is None


def test_a_counted_line_stays_one_line_of_json():
    line = counted(b'{"message":"a } b"}\n', "client.bad_token", 57)
    assert orjson.loads(line) == {"message": "a } b", "kind": "client.bad_token", "count": 57}
    assert line.endswith(b"}\n")


OF_THE_STACK = {
    "an event could not be published",
    "killed a server process that hung",
    "killed the main process, which hung",
    "could not check whether the sessions of open sockets have ended",
    "Redis was not told that sessions have ended (%s): they end within a minute",
    "the log of events could not be read",
    "old rows could not be deleted",
    "live events could not be published",
    "the subscription to live events failed",
    "unreadable live event from Redis: %s",
    "live events were lost: their channels' members could not be read (%s)",
    "live events could not be delivered",
    "a worker process failed",
    "the sweep of jobs failed",
    "a worker process ended",
    "the heartbeat file cannot be written: %s",
    "the start could not be recorded: %s",
    "a job is of a kind that this release does not know",
    "a job had been given to another worker",
    "a worker ended or hung: its job is tried again",
    "a job is given up: %s",
    "a job is given up",
    "a job failed",
    "a job is tried again: %s",
    "an export was cut off",
}
"""Warnings of the services that no client can cause at will."""


@pytest.mark.parametrize("service", ["backend/backend", "data-processor/data_processor"])
def test_all_other_warnings_of_a_service_are_counted(service):
    said = set()
    for path in (Path(__file__).parents[3] / service).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in ("warning", "error", "exception", "critical")
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id in ("log", "logger")
            ):
                said.add(ast.literal_eval(node.args[0]) if isinstance(node.args[0], ast.Constant) else "no fixed text")
    assert said - OF_THE_STACK == set(), "use client_fault() or request_fault(), or add the message above"
