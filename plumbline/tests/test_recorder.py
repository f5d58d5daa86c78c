"""Following the recorder in a terminal: across ended sessions, broken lines and an emptied buffer."""

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
    """Answers logins, and the live tail with one step of `script` a connection: a status, or what is sent."""

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


def told(stack, count, **filters):
    """Return the first things that following tells: messages of entries, and notes."""
    things = itertools.islice(recorder.follow(stack, **filters), count)
    return [thing if isinstance(thing, str) else thing["message"] for thing in things]


def test_it_goes_on_where_the_line_broke(front, stack):
    front.script = [b"retry: 1000\n\n" + entry("5-1", "one") + entry("5-2", "two"), entry("5-3", "three")]
    assert told(stack, 3, service="backend", level=None) == ["one", "two", "three"]
    assert front.asked == [("/logs/stream?service=backend", "0"), ("/logs/stream?service=backend", "5-2")]


def test_an_entry_that_was_cut_off_comes_again_whole(front, stack):
    front.script = [entry("5-1", "one") + entry("5-2", "two")[:-20], entry("5-2", "two")]
    assert told(stack, 2) == ["one", "two"]
    assert [last for _, last in front.asked] == ["0", "5-1"]


def test_a_session_that_ended_is_renewed(front, stack):
    front.script = [entry("5-1", "one"), 401, entry("5-2", "two")]
    assert told(stack, 2) == ["one", "two"]
    assert front.logins == 2


def test_an_outage_is_told_once_and_its_end(front, stack):
    front.script = [entry("5-1", "one"), 502, 502, 503, entry("5-2", "two")]
    assert told(stack, 4) == [
        "one", "the live line is down (the recorder did not answer: the service behind it is away); trying again",
        "the live line is back", "two",
    ]  # fmt: skip


def test_what_is_missing_is_told(front, stack):
    away = event("away", {"detail": "Redis does not answer"})
    reset = event("reset", {"since": "12:00"})
    front.script = [
        entry("5-1", "one") + away + away + reset + event("gap", {"missed": 7}) + entry("6-9", "nine"),
        reset,
    ]
    assert told(stack, 5) == [
        "one", "Redis does not answer", "the recorder was emptied; it has been filling since 12:00",
        "7 entries came and went too fast to be shown", "nine",
    ]  # fmt: skip


def test_a_recorder_that_does_not_answer_at_first_is_waited_for(front, stack):
    front.script = [503, 503, entry("5-1", "one")]
    assert told(stack, 3)[1:] == ["the live line is back", "one"]


def test_a_stack_that_does_not_answer_at_first_is_an_error(front, stack):
    with pytest.raises(PlumblineError, match="does not answer"):
        next(recorder.follow(replace(stack, base_url="http://127.0.0.1:1")))


@pytest.mark.parametrize("as_json", [True, False])
def test_the_command_prints_entries_and_keeps_notes_apart(front, stack, home_of, capsys, as_json, monkeypatch):
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
    assert said.err.splitlines()[-1] == "-- the live line is back"
    assert front.asked[-1] == ("/logs/stream?service=backend&level=error", "5-1")


@pytest.fixture
def home_of(tmp_path, monkeypatch):
    """Makes a home whose stack is the one given."""

    def make(stack):
        home = tmp_path / "home"
        target = type("Here", (), {"stack": lambda self: stack})()
        monkeypatch.setattr(cli, "_existing", lambda _: target)
        return home

    return make


@pytest.mark.parametrize(("login", "key", "reads"), [(502, True, True), (502, False, False), (401, True, False)])
def test_without_the_backend_the_stacks_key_is_enough(front, stack, home_of, capsys, tmp_path, login, key, reads):
    front.login_status = login
    if key:
        (tmp_path / "token_secret").touch(mode=0o600)
        (tmp_path / "token_secret").write_text("a key for tests that is long enough for this")
    front.script = [json.dumps({"items": [ENTRY], "since": COUNTS["since"]}).encode(), json.dumps(COUNTS).encode()]
    assert cli.main(["logs", "--home", str(home_of(stack))]) == (0 if reads else 1)
    if reads:
        verified = tokens.verify("a key for tests that is long enough for this", front.tokens[0])
        assert verified.identity.is_operator
    else:
        assert "could not log in" in capsys.readouterr().err


COUNTS = {
    "since": "2025-11-22T20:00:00.000Z", "received": 9, "kept": 1, "superseded": 5, "dropped": 3,
    "by_service": {"backend": {"dropped": 0}, "caddy": {"dropped": 3}},
}  # fmt: skip


def test_drops_are_told_when_they_are_news(front, stack):
    calm, more = {**COUNTS, "dropped": 0}, {**COUNTS, "dropped": 4}
    front.script = [b"".join(event("stats", counts) for counts in (calm, COUNTS, COUNTS, more)) + entry("5-1", "one")]
    assert told(stack, 3) == ["3 dropped (caddy 3)", "4 dropped (caddy 3)", "one"]


def said_by_logs(front, stack, home_of, capsys, *arguments, items=()):
    front.script = [json.dumps({"items": list(items), "since": COUNTS["since"]}).encode(), json.dumps(COUNTS).encode()]
    assert cli.main(["logs", "--home", str(home_of(stack)), *arguments]) == 0
    return capsys.readouterr()


def test_the_command_ends_with_the_counts(front, stack, home_of, capsys):
    said = said_by_logs(front, stack, home_of, capsys, items=[ENTRY])
    assert said.out.count("\n") == 4
    assert said.err == "-- 1 kept of 9 received since 2025-11-22T20:00:00.000Z, 5 superseded; 3 dropped (caddy 3)\n"
    assert front.logins == 1


def test_the_command_says_when_nothing_matches(front, stack, home_of, capsys):
    said = said_by_logs(front, stack, home_of, capsys, "--service", "moon", "--level", "error")
    assert said.err.splitlines()[0] == "-- no entry of service moon and level error"
    assert said_by_logs(front, stack, home_of, capsys, "--service", "moon", "--json").err == ""


ENTRY = {
    "ts": "2025-11-22T21:38:57.412Z", "level": "error", "service": "data-processor", "request_id": "3f1c3f6c9d8b",
    "message": "upload failed: the image of page 3 cannot be read, whatever was tried\nsecond line",
    "exception": "Traceback\nOSError: no",
}  # fmt: skip


def test_a_line_for_files_and_pipes_is_one_line_with_the_rest_indented():
    first, *rest = recorder.line(ENTRY).splitlines()
    assert first.startswith("2025-11-22T21:38:57.412Z ERROR    data-processor  upload failed: the image of page 3")
    assert rest == ["    second line  [3f1c3f6c9d8b]", "    Traceback", "    OSError: no"]


@pytest.mark.parametrize("columns", [20, 80, 200])
def test_a_line_for_a_terminal_fits_it(columns):
    shown = re.sub(r"\x1b\[[0-9;]*m", "", recorder.line(ENTRY, columns)).splitlines()
    assert max(map(len, shown)) <= max(columns, 60)
    assert re.match(r"Nov 2[23] \d\d:38:57 ERROR    data-processor upload", shown[0])
    assert all(one.startswith("    ") for one in shown[1:])
    assert " ".join(" ".join(shown).split()).endswith("was tried second line [3f1c3f6c9d8b] Traceback OSError: no")
