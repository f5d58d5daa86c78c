"""The remote target: its checks of access, and its refusal to change a stack."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg
import pytest
from servicekit import facts

from plumbline.components import COMPONENTS, HEALTH_PATHS
from plumbline.errors import NotGivenError, PlumblineError
from plumbline.net import free_port
from plumbline.verification.checks import rows
from plumbline.verification.remote import Access, RemoteTarget
from plumbline.verification.throwaway import PostgresServer, RedisServer, throwaway_postgres

ID = "0123456789abcdef"
SECRET = "correct-horse-battery"


def whole(**changes: tuple[int, object]) -> dict[str, tuple[int, object]]:
    """Return the health answers of a running stack, with `changes` by service."""
    says = {"stack_id": ID, "version": facts.VERSION}
    answers: dict[str, tuple[int, object]] = {
        path: (200, {"service": name, **says}) for name, path in HEALTH_PATHS.items()
    }
    return answers | {HEALTH_PATHS[name.replace("_", "-")]: answer for name, answer in changes.items()}


@pytest.fixture
def url(web: Callable[..., str]) -> str:
    return web(whole())


@pytest.fixture(scope="module")
def postgres_server() -> Iterator[PostgresServer]:
    """A Postgres for this module, whose tables no service has made."""
    with throwaway_postgres() as server:
        yield server


@pytest.fixture
def dsn(tmp_path: Path, postgres_server: PostgresServer) -> Iterator[Callable[..., Path]]:
    """Write DSN files for a database with a record of deployment `ID`."""
    with psycopg.connect(postgres_server.conninfo, autocommit=True) as database:
        database.execute("CREATE TABLE stack_events (stack_id text)")
        database.execute("INSERT INTO stack_events VALUES (%s)", (ID,))
        server = postgres_server

        def write(password: str = server.password, port: int = server.port, more: str = "") -> Path:
            file = tmp_path / "dsn"
            file.write_text(f"postgresql://{server.user}:{password}@{server.host}:{port}/{server.database}{more}\n")
            return file

        yield write
        database.execute("DROP TABLE IF EXISTS stack_events")


def problems(*access: Any, **more: Any) -> list[str]:
    try:
        return RemoteTarget(Access(*access, **more)).problems()
    except PlumblineError as error:
        return [str(error)]


def test_the_base_url_is_enough_with_or_without_a_trailing_slash(url: str) -> None:
    assert problems(url) == problems(url + "/") == []
    stack = RemoteTarget(Access(url + "/")).stack()
    assert (stack.stack_id, stack.base_url, stack.running) == (ID, url, True)


@pytest.mark.parametrize("name", ["begin", "run", "down", "remove", "start", "stop", "kill"])
def test_methods_that_change_the_stack_refuse(url: str, name: str) -> None:
    method = getattr(RemoteTarget(Access(url)), name)
    with pytest.raises(NotGivenError, match="not possible on a remote stack"):
        method(*() if name in ("begin", "down", "remove") else ("postgres",))


def test_a_missing_option_is_named_when_it_is_needed(url: str) -> None:
    stack = RemoteTarget(Access(url)).stack()
    with pytest.raises(NotGivenError, match="--database-dsn-file"):
        rows.connect(stack)
    with pytest.raises(NotGivenError, match="--redis-url"):
        str(stack.redis.url)
    with pytest.raises(NotGivenError, match="--operator-password-file"):
        str(stack.operator.password_file)
    for name in set(COMPONENTS) - HEALTH_PATHS.keys():
        with pytest.raises(NotGivenError, match=name):
            RemoteTarget(Access(url)).component(name)


def test_unavailable_services_and_those_of_another_deployment_are_named(web: Callable[..., str]) -> None:
    away = (503, {"service": "backend", "stack_id": ID, "version": "0", "reason": "the database is away"})
    stale = (200, {"service": "log-sink", "stack_id": "stale", "version": "0"})
    second, first = problems(web(whole(backend=away, log_sink=stale)))
    assert first == "backend: the database is away"
    assert "'stale'" in second


@pytest.mark.parametrize("answer", [(200, b"<html>"), (200, []), (200, {}), (404, {"detail": "no"})])
def test_other_answers_are_refused(web: Callable[..., str], answer: tuple[int, object]) -> None:
    (problem,) = problems(web({HEALTH_PATHS["backend"]: answer}))
    assert "is not the health page of a Plumbline stack" in problem
    assert "--base-url" in problem


@pytest.mark.parametrize(
    "url", [f"http://127.0.0.1:{free_port()}", "127.0.0.1:8080", "nonsense", "http://"], ids=range(4)
)
def test_an_unreachable_address_is_refused_with_the_reason(url: str) -> None:
    (problem,) = problems(url)
    assert "is not the health page of a Plumbline stack (" in problem
    assert "object at 0x" not in problem


def test_all_parameters_of_a_dsn_are_used(url: str, dsn: Callable[..., Path]) -> None:
    file = dsn(more="?sslmode=disable&options=-c%20statement_timeout%3D4321")
    assert problems(url, file) == []
    with rows.connect(RemoteTarget(Access(url, file)).stack()) as database:
        assert database.execute("SHOW statement_timeout").fetchone() == {"statement_timeout": "4321ms"}
    # This server has no TLS.
    (problem,) = problems(url, dsn(more="?sslmode=require"))
    assert "does not support SSL" in problem


def test_connection_errors_are_reported_once_and_without_the_password(url: str, dsn: Callable[..., Path]) -> None:
    for wrong, reason in (({"password": SECRET}, "password authentication failed"), ({"port": free_port()}, "refused")):
        file = dsn(**wrong)
        (problem,) = problems(url, file)
        assert problem.startswith(f"the database that {file} names cannot be used: ")
        assert reason in problem
        assert SECRET not in problem
        assert "\n" not in problem


def test_a_database_of_another_stack_and_an_empty_one_are_refused(
    url: str, dsn: Callable[..., Path], postgres_server: PostgresServer
) -> None:
    file = dsn()
    with psycopg.connect(postgres_server.conninfo, autocommit=True) as database:
        database.execute("UPDATE stack_events SET stack_id = 'another'")
        assert problems(url, file) == [
            f"the database that {file} names is not that of {url}: it has no record of deployment {ID}"
        ]
        database.execute("DROP TABLE stack_events")
    (problem,) = problems(url, file)
    assert "is not a Plumbline database" in problem


@pytest.mark.parametrize("text", ["", "\n", f"password={SECRET} rubbish", f"postgresql://u:{SECRET}%zz@h/d", "\xff"])
def test_an_invalid_dsn_file_is_refused_without_quoting_it(url: str, tmp_path: Path, text: str) -> None:
    file = tmp_path / "dsn"
    file.write_bytes(text.encode("latin-1"))
    assert problems(url, file) == [f"the DSN file {file} holds no libpq connection string or URI"]


def test_a_missing_dsn_file_is_named(url: str, tmp_path: Path) -> None:
    (problem,) = problems(url, tmp_path / "absent")
    assert problem == f"the DSN file {tmp_path / 'absent'} cannot be read: No such file or directory"


def test_redis_access_is_checked_first(url: str, redis_server: RedisServer, tmp_path: Path) -> None:
    right, wrong = Path(redis_server.address.password_file or ""), tmp_path / "wrong"
    wrong.write_text("not the password")
    assert problems(url, redis_url=redis_server.url, redis_password_file=right) == []
    for place, file, said in (
        (f"redis://127.0.0.1:{free_port()}/0", right, "Connection refused"),
        ("127.0.0.1:6379", right, "scheme"),
        (redis_server.url, None, "Redis needs a password, and none was given"),
        (redis_server.url, wrong, f"Redis refuses the password in {wrong}"),
        (redis_server.url, tmp_path / "absent", "does not exist"),
    ):
        (problem,) = problems(url, redis_url=place, redis_password_file=file)
        assert problem.startswith("the Redis of --redis-url cannot be used: ")
        assert said in problem
        assert problem.endswith(" (--redis-password-file)")


def test_a_wrong_operator_password_is_refused_with_its_option(url: str, tmp_path: Path) -> None:
    file = tmp_path / "operator_password"
    (absent,) = problems(url, operator_password_file=file)
    assert str(file) in absent
    file.write_text(SECRET)
    (refused,) = problems(url, operator_password_file=file)
    assert "could not log in" in refused
    assert "--operator-password-file" in absent
    assert "--operator-password-file" in refused


class Front(BaseHTTPRequestHandler):
    """Answers health requests over TLS."""

    def do_GET(self) -> None:
        name = next(name for name, path in HEALTH_PATHS.items() if path == self.path)
        body = f'{{"service": "{name}", "stack_id": "{ID}", "version": "0"}}'.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def behind_tls(certificate: Path, key: Path) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with ThreadingHTTPServer(("127.0.0.1", 0), Front) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"https://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to create a certificate")
def test_an_untrusted_certificate_is_refused_without_ca_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    certificate, key = tmp_path / "ca.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    with behind_tls(certificate, key) as url:
        monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
        (problem,) = problems(url)
        assert "has a certificate that this machine does not trust" in problem
        assert "--ca-file" in problem
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        assert problems(url) == []
