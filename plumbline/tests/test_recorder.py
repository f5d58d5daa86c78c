"""Following the recorder across expired sessions, lost connections and restarts; output of `logs`."""

from __future__ import annotations

import itertools
import json
import re
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from servicekit import tokens

from plumbline import cli, recorder
from plumbline.errors import PlumblineError
from plumbline.stack import OperatorAccount, PostgresAddress, RedisAddress, Stack


def event(name: str, data: object, identity: str = "") -> bytes:
    head = f"id: {identity}\n" if name == "message" else f"event: {name}\n"
    return f"{head}data: {json.dumps(data)}\n\n".encode()


def entry(identity: str, message: str) -> bytes:
    said = {"ts": "2025-11-22T21:38:57.412Z", "level": "error", "service": "backend", "message": message}
    return event("message", {"id": identity, **said}, identity)


class FrontDoor:
    """Answers logins, and each live connection with the next step of `script`: a status, or the body."""

    def __init__(self) -> None:
        self.script: list[int | bytes] = []
        self.asked: list[tuple[str, str | None]] = []
        self.logins = 0
        self.login_status = 200
        self.tokens: list[str] = []
        front = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                front.logins += 1
                self._answer(front.login_status, json.dumps({"access_token": f"token-{front.logins}"}).encode())

            def do_GET(self) -> None:
                front.asked.append((self.path, self.headers["Last-Event-ID"]))
                front.tokens.append(self.headers["Authorization"].removeprefix("Bearer "))
                step = front.script.pop(0) if front.script else 503
                if isinstance(step, int):
                    self._answer(step, b'{"detail": "not now"}')
                else:
                    self._answer(200, step)

            def _answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def front(monkeypatch):
    monkeypatch.setattr(recorder, "_RETRY_S", 0.0)
    door = FrontDoor()
    yield door
    door.server.shutdown()
    door.server.server_close()


@pytest.fixture
def stack(front, tmp_path):
    password = tmp_path / "operator_password"
    password.touch(mode=0o600)
    password.write_text("correct horse battery staple")
    nowhere = PostgresAddress("", 0, "", "", "")
    operator = OperatorAccount("operator", str(password))
    return Stack("s", "remote", "ready", "0", "", front.url, nowhere, RedisAddress(""), operator, ())


def follow(stack, count, **filters):
    """Return the first `count` results of `follow`: messages of entries, and notes."""
    results = itertools.islice(recorder.follow(stack, **filters), count)
    return [result if isinstance(result, str) else result["message"] for result in results]


def test_follow_resumes_after_a_lost_connection(front, stack):
    front.script = [b"retry: 1000\n\n" + entry("5-1", "one") + entry("5-2", "two"), entry("5-3", "three")]
    assert follow(stack, 3, service="backend", level=None) == ["one", "two", "three"]
    assert front.asked == [("/logs/stream?service=backend", "0"), ("/logs/stream?service=backend", "5-2")]


def test_a_truncated_entry_is_read_again(front, stack):
    front.script = [entry("5-1", "one") + entry("5-2", "two")[:-20], entry("5-2", "two")]
    assert follow(stack, 2) == ["one", "two"]
    assert [last for _, last in front.asked] == ["0", "5-1"]


def test_an_expired_session_is_renewed(front, stack):
    front.script = [entry("5-1", "one"), 401, entry("5-2", "two")]
    assert follow(stack, 2) == ["one", "two"]
    assert front.logins == 2


def test_an_outage_and_its_end_are_noted_once(front, stack):
    front.script = [entry("5-1", "one"), 502, 502, 503, entry("5-2", "two")]
    assert follow(stack, 4) == [
        "one", "connection lost (the recorder did not answer: the service behind it is away); trying again",
        "reconnected", "two",
    ]  # fmt: skip


def test_gaps_and_resets_are_noted(front, stack):
    away = event("away", {"detail": "Redis does not answer"})
    reset = event("reset", {"since": "12:00"})
    front.script = [
        entry("5-1", "one") + away + away + reset + event("gap", {"missed": 7}) + entry("6-9", "nine"),
        reset,
    ]
    assert follow(stack, 5) == [
        "one", "Redis does not answer", "the recorder was emptied at 12:00",
        "7 entries were missed: they were superseded too fast", "nine",
    ]  # fmt: skip


def test_follow_waits_for_a_recorder_that_does_not_answer_at_first(front, stack):
    front.script = [503, 503, entry("5-1", "one")]
    assert follow(stack, 3)[1:] == ["reconnected", "one"]


def test_follow_fails_if_the_stack_does_not_answer_at_first(front, stack):
    with pytest.raises(PlumblineError, match="does not answer"):
        next(recorder.follow(replace(stack, base_url="http://127.0.0.1:1")))


@pytest.mark.parametrize("as_json", [True, False])
def test_logs_prints_entries_to_stdout_and_notes_to_stderr(front, stack, home_of, capsys, as_json, monkeypatch):
    front.script = [entry("5-1", "one"), 502, entry("5-2", "zwölf")]
    follow = recorder.follow

    def until_interrupted(*arguments, **filters):
        yield from itertools.islice(follow(*arguments, **filters), 4)
        raise KeyboardInterrupt

    monkeypatch.setattr(recorder, "follow", until_interrupted)
    arguments = ["logs", "--follow", "--service", "backend", "--level", "error", "--home", str(home_of(stack))]
    assert cli.main([*arguments, *(["--json"] if as_json else [])]) == 0
    said = capsys.readouterr()
    lines = said.out.splitlines()
    shown = [json.loads(line)["message"] for line in lines] if as_json else [line.split()[-1] for line in lines]
    assert shown == ["one", "zwölf"]
    assert said.err.splitlines()[-1] == "-- reconnected"
    assert front.asked[-1] == ("/logs/stream?service=backend&level=error", "5-1")


@pytest.fixture
def home_of(tmp_path, monkeypatch):
    """Return a function that makes the command line use the given stack; returns its home."""

    def make(stack):
        home = tmp_path / "home"
        target = type("Here", (), {"stack": lambda self: stack})()
        monkeypatch.setattr(cli, "deployed", lambda _: target)
        return home

    return make


@pytest.mark.parametrize(("login", "key", "reads"), [(502, True, True), (502, False, False), (401, True, False)])
def test_logs_works_without_the_backend_if_the_key_is_readable(
    front, stack, home_of, capsys, tmp_path, login, key, reads
):
    front.login_status = login
    if key:
        (tmp_path / "token_secret").touch(mode=0o600)
        (tmp_path / "token_secret").write_text("a key for tests that is long enough for this")
    front.script = [json.dumps({"items": [ENTRY], "since": COUNTS["since"]}).encode(), json.dumps(COUNTS).encode()]
    assert cli.main(["logs", "--home", str(home_of(stack))]) == (0 if reads else 1)
    if reads:
        assert tokens.is_of_deployment("a key for tests that is long enough for this", front.tokens[0])
    else:
        assert "could not log in" in capsys.readouterr().err


COUNTS = {
    "since": "2025-11-22T20:00:00.000Z", "received": 9, "kept": 1, "superseded": 5, "dropped": 3,
    "by_service": {"backend": {"dropped": 0}, "caddy": {"dropped": 3}},
}  # fmt: skip


def test_new_drops_are_noted(front, stack):
    calm, more = {**COUNTS, "dropped": 0}, {**COUNTS, "dropped": 4}
    front.script = [b"".join(event("stats", counts) for counts in (calm, COUNTS, COUNTS, more)) + entry("5-1", "one")]
    assert follow(stack, 3) == ["3 dropped (caddy 3)", "4 dropped (caddy 3)", "one"]


def run_logs(front, stack, home_of, capsys, *arguments, items=()):
    front.script = [json.dumps({"items": list(items), "since": COUNTS["since"]}).encode(), json.dumps(COUNTS).encode()]
    assert cli.main(["logs", "--home", str(home_of(stack)), *arguments]) == 0
    return capsys.readouterr()


def test_logs_ends_with_the_counts(front, stack, home_of, capsys):
    said = run_logs(front, stack, home_of, capsys, items=[ENTRY])
    assert said.out.count("\n") == 4
    assert said.err == "-- 1 kept of 9 received since 2025-11-22T20:00:00.000Z, 5 superseded; 3 dropped (caddy 3)\n"
    assert front.logins == 1


def test_logs_notes_that_nothing_matches(front, stack, home_of, capsys):
    said = run_logs(front, stack, home_of, capsys, "--service", "moon", "--level", "error")
    assert said.err.splitlines()[0] == "-- no entries of service moon and level error"
    assert run_logs(front, stack, home_of, capsys, "--service", "moon", "--json").err == ""


ENTRY = {
    "ts": "2025-11-22T21:38:57.412Z", "level": "error", "service": "data-processor", "request_id": "3f1c3f6c9d8b",
    "message": "upload failed: the image of page 3 cannot be read, whatever was tried\nsecond line",
    "exception": "Traceback\nOSError: no",
}  # fmt: skip


def test_further_lines_of_an_entry_are_indented():
    first, *rest = recorder.line(ENTRY).splitlines()
    assert first.startswith("2025-11-22T21:38:57.412Z ERROR    data-processor  upload failed: the image of page 3")
    assert rest == ["    second line  [3f1c3f6c9d8b]", "    Traceback", "    OSError: no"]


@pytest.mark.parametrize("columns", [20, 80, 200])
def test_an_entry_is_wrapped_to_the_terminal(columns):
    shown = re.sub(r"\x1b\[[0-9;]*m", "", recorder.line(ENTRY, columns)).splitlines()
    assert max(map(len, shown)) <= max(columns, 60)
    assert re.match(r"Nov 2[23] \d\d:38:57 ERROR    data-processor upload", shown[0])
    assert all(one.startswith("    ") for one in shown[1:])
    assert " ".join(" ".join(shown).split()).endswith("was tried second line [3f1c3f6c9d8b] Traceback OSError: no")
