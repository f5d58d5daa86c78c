"""A scripted target, a web server, a Caddy, and a listing of a folder's files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

from plumbline import ROOT
from plumbline.backups import schedule
from plumbline.components import COMPONENTS
from plumbline.errors import PlumblineError
from plumbline.home import Home
from plumbline.https.door import Https
from plumbline.net import direct_session, free_port
from plumbline.patience import work_of
from plumbline.plan import TODAY, lineup_of
from plumbline.service import systemd
from plumbline.stack import Component, OperatorAccount, PostgresAddress, RedisAddress, Stack
from plumbline.targets.embedded.programs import caddy_command, find_caddy, swagger_ui
from plumbline.verification.throwaway import shared_secrets, wait_until

_PATIENCE_S = 30


class ScriptedTarget:
    """Implements plumbline.targets.base.Target in memory; `failures` says which step raises what."""

    name = "scripted"

    def __init__(self, home: Home) -> None:
        self.home = home
        self.lineup = TODAY
        self.preflight_problems: list[str] = []
        self.current = False
        self.phase = "deploying"
        self.failures: dict[str, BaseException] = {}
        self.logs: dict[str, list[str]] = {}
        self.files: dict[str, str] = {}
        self.in_cluster: datetime | None = None
        self.done: list[str] = []
        self.states: dict[str, Component] = {name: Component(name, "stopped") for name in COMPONENTS}

    def problems(self) -> list[str]:
        return self.preflight_problems

    def unchanged(self) -> bool:
        return self.current

    def from_this_checkout(self) -> bool:
        return self.current

    def want_https(self, https: Https | None) -> None:
        assert https is None

    def begin(self) -> None:
        self.done.append("begin")
        self.home.prepare()

    def run(self, step: str) -> str:
        self.done.append(step)
        if step in self.failures:
            raise self.failures[step]
        return f"did {step}"

    def switch(self, release: str, snapshot: str = "") -> None:
        self.done.append(f"switch to {release or 'today'}")
        self.lineup = lineup_of(release)
        self.current = False
        self.home.prepare()
        self.home.save(self.home.load(), target=self.name, release=release, snapshot=snapshot)

    def drop_database(self) -> None:
        self.done.append("drop the database")
        self.home.save(self.home.load(), restore=self.home.load().snapshot)

    def database_restored(self) -> None:
        self.done.append("restored")
        self.home.save(self.home.load(), snapshot="", restore="")

    def down(self) -> list[str]:
        return []

    def remove(self) -> list[str]:
        return self.home.remove()

    def stack(self) -> Stack:
        return Stack(
            stack_id="s" * 16, target=self.name, phase=self.phase, version="0", home=str(self.home.root),
            base_url="http://127.0.0.1:8080",
            postgres=PostgresAddress("127.0.0.1", 5432, "app_db", "app_user", str(self.home.secrets / "x")),
            redis=RedisAddress("redis://127.0.0.1:6379/0"),
            operator=OperatorAccount("operator", str(self.home.secrets / "operator_password")),
            components=tuple(self.states.values()), release=self.lineup.release,
        )  # fmt: skip

    def component(self, name: str) -> Component:
        return self.states[name]

    def start(self, *components: str) -> None:
        del components

    def stop(self, *components: str) -> None:
        self.done += [f"stop {name}" for name in components]

    def kill(self, component: str) -> None:
        del component

    def postgres_command(self, program: str, *arguments: str) -> list[str]:
        return ["true"]

    def postgres_script(self, script: str, *arguments: str) -> list[str]:
        return ["true"]  # an empty database

    def schedule_backups(self, every: str, keep: int) -> str:
        return schedule.install(self.home, every, keep)

    def scheduled_backup(self) -> datetime | None:
        return self.in_cluster

    def fetch_backup(self, place: Path) -> str:
        raise PlumblineError("the backups of this target are in the home already")

    def log_tail(self, component: str, lines: int) -> list[str]:
        return self.logs.get(component, [])[-lines:]

    def describe(self) -> dict[str, str]:
        return self.files


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that every local account can read; pytest's own is private."""
    with tempfile.TemporaryDirectory(prefix="plumbline-test-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def scripted(home: Home) -> ScriptedTarget:
    return ScriptedTarget(home)


@pytest.fixture
def systemctl_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The calls of systemctl, on a machine with systemd whose units are in `tmp_path`."""
    made: list[tuple[str, ...]] = []
    monkeypatch.setattr(systemd, "absence", lambda: None)
    monkeypatch.setattr(systemd, "folder", lambda: tmp_path / "units")
    monkeypatch.setattr(systemd, "call", lambda *words: made.append(words))
    monkeypatch.setattr(systemd, "let_user_linger", lambda: None)
    return made


HOMES_OF_UNITS = ("/srv/plumbline", '/home/ada/my stack/100% of $it "quoted"')


@pytest.fixture
def systemd_accepts(tmp_path: Path) -> Callable[..., None]:
    """Return a function that lets systemd check unit files, by name, of a user or of the system."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("there is no systemd-analyze here")

    def check(units: dict[str, str], *, is_user: bool) -> None:
        files = [tmp_path / name for name in units]
        for file, text in zip(files, units.values(), strict=True):
            file.write_text(text)
        command = ["systemd-analyze", *(["--user"] if is_user else []), "verify", *map(str, files)]
        environment = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=False)
        # It also prints what it thinks of the machine's other units.
        assert not any(file.name in done.stderr for file in files), done.stderr
        assert done.returncode == 0, done.stderr

    return check


@pytest.fixture
def listing() -> Callable[[Path], dict[str, object]]:
    """Return a function that lists a folder's files with mode and content."""

    def of(folder: Path) -> dict[str, object]:
        return {
            str(path.relative_to(folder)): (path.lstat().st_mode, path.read_bytes() if path.is_file() else None)
            for path in sorted(folder.rglob("*"))
        }

    return of


Answers = dict[str, tuple[int, object]]


@pytest.fixture
def web() -> Iterator[Callable[[Answers], str]]:
    """Start an HTTP server with an answer (status, JSON document or bytes) for each path; return its address."""
    servers: list[ThreadingHTTPServer] = []

    def start(answers: Answers) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, document = answers.get(self.path, (404, {}))
                body = document if isinstance(document, bytes) else json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def front(tmp_path: Path, processes: list[subprocess.Popen[bytes]]) -> Callable[..., str]:
    """Start Caddy in front of a backend on a port, and return the front door's address."""
    caddy = find_caddy()
    if caddy is None:
        pytest.skip("there is no Caddy here")

    def start(backend: int, **settings: str) -> str:
        ports = {name: settings.get(f"PLUMBLINE_{name}_PORT", str(free_port())) for name in ("FRONT", "INTERNAL")}
        environment = {
            "HOME": str(tmp_path),
            "PATH": os.defpath,
            **shared_secrets(tmp_path),
            **{f"PLUMBLINE_{name}_PORT": port for name, port in ports.items()},
            **dict.fromkeys(("PLUMBLINE_DATA_PROCESSOR", "PLUMBLINE_LOG_SINK"), f"127.0.0.1:{free_port()}"),
            "PLUMBLINE_LOG_INGEST": f"127.0.0.1:{free_port()}",
            "PLUMBLINE_BACKEND": f"127.0.0.1:{backend}",
            "PLUMBLINE_FILES": str(ROOT),
            "PLUMBLINE_SWAGGER_UI": str(swagger_ui()),
            **settings,
        }
        with (tmp_path / "caddy.log").open("wb") as log:
            process = subprocess.Popen(caddy_command(caddy), env=environment, stdout=log, stderr=log)
        processes.append(process)

        def answers() -> bool:
            assert process.poll() is None, (tmp_path / "caddy.log").read_text()
            try:
                direct_session().get(f"http://127.0.0.1:{ports['INTERNAL']}/health/live", timeout=_PATIENCE_S)
            except requests.ConnectionError:
                return False
            return True

        wait_until(answers, "Caddy answers", _PATIENCE_S, lambda: work_of(process.pid))
        return f"http://127.0.0.1:{ports['FRONT']}"

    return start
