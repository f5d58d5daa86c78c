"""Only operators can read the recorder, and entries cannot be written through the front door.

Protects from entries of the recorder that strangers read or write.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest
import redis
import requests

from plumbline import recorder as operator
from plumbline.stack import Stack
from plumbline.targets.base import Target
from plumbline.verification.checks import recorder
from plumbline.verification.checks.client import TIMEOUT_S, Answer, User

READABLE = ("/logs/entries", "/logs/stats", "/logs/stream")
# Paths that a proxy and the service behind it could interpret differently.
DISGUISES = (
    "/logs/health/../{}", "/logs/login/../{}", "/logs/assets/../{}", "/logs/assets/%2e%2e/{}", "/logs/assets/..%2f{}",
    "/logs/assets/%252e%252e/{}", "/logs//{}", "//logs/{}", "/LOGS/{}", "/logs/health/live/..;/{}", "/logs/.//{}",
    "/logs/assets/..\\{}", "/logs/health/{}",
)  # fmt: skip
SIDE_BY_SIDE = 16
CLAIMS = (
    b"X-Operator: operator\r\n",
    b"X-Forwarded-For: 127.0.0.1\r\nX-Real-IP: 127.0.0.1\r\n",
    b"X-Original-URL: /logs/health\r\nX-Rewrite-URL: /logs/health\r\n",
    b"X-Forwarded-Uri: /logs/health\r\nX-Forwarded-Method: OPTIONS\r\n",
    b"Connection: X-Operator, close\r\nX-Operator: operator\r\n",
)


def call(
    stack: Stack, method: str, path: str, headers: bytes = b"", body: bytes = b"", host: str = ""
) -> tuple[int, str]:
    """Send a request without normalising it; return status and body."""
    front = urlsplit(stack.base_url)
    head = f"{method} {path} HTTP/1.1\r\nHost: {host or front.netloc}\r\nContent-Length: {len(body)}\r\n".encode()
    end = b"" if b"Connection:" in headers else b"Connection: close\r\n"
    port = front.port or (443 if front.scheme == "https" else 80)
    with ExitStack() as opened:
        connection = opened.enter_context(socket.create_connection((front.hostname, port), 10))
        if front.scheme == "https":
            secure = ssl.create_default_context()
            connection = opened.enter_context(secure.wrap_socket(connection, server_hostname=front.hostname))
        connection.sendall(head + headers + end + b"\r\n" + body)
        answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode(errors="replace")
    found = re.match(r"HTTP/1\.1 (\d{3}) ", answer)
    assert found, answer[:200]
    return int(found[1]), answer.partition("\r\n\r\n")[2]


def test_only_operators_can_read(stack: Stack, alice: User) -> None:
    for path in READABLE:
        Answer(requests.get(stack.base_url + path, timeout=TIMEOUT_S)).expect_problem(401)
        alice.get(path).expect_problem(403)
    page = requests.get(f"{stack.base_url}/logs/", timeout=TIMEOUT_S, allow_redirects=False)
    assert (page.status_code, page.headers["Location"]) == (303, "/logs/login")
    alice.get("/logs/").expect_problem(403)


@pytest.mark.parametrize("disguise", DISGUISES)
def test_disguised_paths_are_refused(stack: Stack, disguise: str) -> None:
    """Protects from paths that look harmless, and lead to the entries."""
    for name in ("entries", "stats"):
        status, body = call(stack, "GET", disguise.format(name))
        assert status in (303, 308, 400, 401, 403, 404), (disguise, status)
        assert '"since"' not in body


def test_headers_cannot_claim_to_be_an_operator(stack: Stack) -> None:
    for headers in CLAIMS:
        status, body = call(stack, "GET", "/logs/entries", headers)
        assert (status, '"since"' in body) == (401, False), headers


def test_entries_cannot_be_sent_through_the_front_door(stack: Stack, redis_client: redis.Redis) -> None:
    planted = json.dumps({"level": "error", "service": "backend", "message": "planted"}).encode()
    paths = ["/ingest", "//ingest", "/%69ngest", "/./ingest", "/INGEST", "/ingest/", "http://caddy:9000/ingest"]
    paths += [disguise.format("ingest") for disguise in DISGUISES]
    paths += [disguise.format("../ingest") for disguise in DISGUISES]
    paths += ["/health/../ingest", "/logs/health?/../../ingest", "/logs/login#/../../ingest"]
    with operator.operator_session(stack) as session:
        token = f"Authorization: {session.headers['Authorization']}\r\n".encode()
    hosts = ("", "127.0.0.1:9000", "caddy:9000", "log-sink:8003")
    calls = [(path, headers, host) for path in paths for headers in (b"", token) for host in hosts]
    # Side by side: over a port-forward, each connection may take a second.
    with ThreadPoolExecutor(SIDE_BY_SIDE) as crowd:
        answers = crowd.map(lambda one: call(stack, "POST", one[0], one[1], planted, one[2]), calls)
        for (path, *_), (status, _) in zip(calls, answers, strict=True):
            assert 300 <= status < 500, (path, status)
    # A later entry has arrived, so a planted one would have, too.
    recorder.send_bad_token(stack, redis_client)
    planted_kept = [one for one in recorder.stream(redis_client) if one["message"] == "planted"]
    assert not planted_kept, f"caddy: lets entries of clients through to the log-sink, expected none: {planted_kept}"


@pytest.mark.disrupt
def test_only_operators_can_read_while_the_backend_is_away(target: Target, stack: Stack, alice: User) -> None:
    with operator.operator_session(stack) as session:
        target.stop("backend")
        try:
            assert session.get(f"{stack.base_url}/logs/entries", timeout=TIMEOUT_S).status_code == 200
            Answer(requests.get(f"{stack.base_url}/logs/entries", timeout=TIMEOUT_S)).expect_problem(401)
            alice.get("/logs/entries").expect_problem(403)
        finally:
            target.start("backend")


@pytest.mark.disrupt
def test_without_any_service_to_check_sessions_the_recorder_answers_502(target: Target, stack: Stack) -> None:
    """Protects from a recorder that lets everybody in while sessions cannot be checked."""
    with operator.operator_session(stack) as session:
        for service in ("backend", "data-processor"):
            target.stop(service)
        try:
            answer = Answer(session.get(f"{stack.base_url}/logs/entries", timeout=TIMEOUT_S))
            answer.expect_problem(502)
            page = session.get(f"{stack.base_url}/logs/", headers={"Accept": "text/html"}, timeout=TIMEOUT_S)
        finally:
            for service in ("data-processor", "backend"):
                target.start(service)
    assert page.status_code == 502
    assert page.headers["Content-Type"].startswith("text/html")
    assert "The recorder does not answer" in page.text


def test_closing_a_live_tail_leaves_no_entry(stack: Stack, redis_client: redis.Redis) -> None:
    with operator.operator_session(stack) as session:
        for _ in range(3):
            with session.get(f"{stack.base_url}/logs/stream?after=0", stream=True, timeout=TIMEOUT_S) as tail:
                next(tail.iter_lines())
    recorder.send_bad_token(stack, redis_client)
    held = recorder.stream(redis_client)
    about_tails = [one["message"] for one in held if "/logs/stream" in str(one["fields"])]
    assert not about_tails, (
        f"log-sink: keeps entries about live tails that clients closed, expected none: {about_tails}"
    )
