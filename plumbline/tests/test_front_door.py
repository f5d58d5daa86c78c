"""The Caddyfile cannot read the code of the services: here it is compared with it."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from servicekit import facts as shared

from plumbline.components import CADDY, SERVICES, SPECS, variable
from plumbline.net import direct_session
from plumbline.targets.embedded.programs import CADDYFILE
from plumbline.verification.checks import pages
from plumbline.verification.introspection import facts

PATIENCE_S = 10
INSIDE = {("log-sink", "/ingest"), ("data-processor", "/auth/operator")}
"""Routes that clients do not reach: for log entries of services, and for Caddy's question when the backend is away."""
CADDYS_OWN = {"/logs"}
"""Caddy answers these itself, with a redirect."""
_UNITS = {"MB": 1_000_000, "MiB": 1024**2}


@pytest.fixture
def services() -> Iterator[dict[str, str]]:
    """Run a server for each service, which answers its name; yield what Caddy is told of them."""
    running: list[ThreadingHTTPServer] = []
    told = {}
    for name in SERVICES:

        class Named(BaseHTTPRequestHandler):
            said = name.encode()

            def answer(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(self.said)))
                self.end_headers()
                self.wfile.write(self.said)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815  http.server's names

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        running.append(ThreadingHTTPServer(("127.0.0.1", 0), Named))
        threading.Thread(target=running[-1].serve_forever, daemon=True).start()
        told[f"PLUMBLINE_{variable(name)}"] = f"127.0.0.1:{running[-1].server_port}"
    yield told
    for server in running:
        server.shutdown()
        server.server_close()


def routes() -> list[tuple[str, str, str]]:
    """Service, method and path of every route, with a 1 for each parameter."""
    return [
        (name, "GET" if route.method == "WS" else route.method, re.sub(r"\{[^}]*\}", "1", route.path))
        for name, service in facts.services().items()
        for route in service.routes
    ]


def test_each_route_reaches_its_service_through_the_front_door(
    front: Callable[..., str], services: dict[str, str]
) -> None:
    door = front(1, **services)
    session = direct_session()
    lost = []
    for name, method, path in routes():
        if (name, path) in INSIDE or path in CADDYS_OWN:
            continue
        answer = session.request(method, f"{door}{path}", timeout=PATIENCE_S, allow_redirects=False)
        if answer.text != name:
            lost.append(f"{method} {path} of {name} ({answer.status_code})")
    assert not lost, f"no matcher of {CADDY.settings_file} leads to: {', '.join(lost)}"


def test_no_matcher_is_without_a_route() -> None:
    text = CADDYFILE.read_text()
    named = re.findall(r"^\t@\w+ path (.+)$", text, re.MULTILINE)
    patterns = {*" ".join(named).split(), *re.findall(r"^\thandle(?:_path)? (/\S+) \{", text, re.MULTILINE)}
    assert {"/", "/docs/*", "/auth/*", "/data-processor/*", "/logs/*", "/ingest"} <= patterns, (
        "the Caddyfile is read wrongly"
    )
    there = {path for _, _, path in routes()} | {CADDY.live_path, *pages.PAGES, *pages.FILES}
    unused = {
        pattern
        for pattern in patterns
        if not any(fnmatchcase(path, pattern) or path.rstrip("/") == pattern for path in there)
    }
    assert not unused, f"matchers of {CADDY.settings_file} that lead to no route: {unused}"


@pytest.mark.parametrize(
    ("block", "fact"),
    [
        ("handle @backend {", "FRONT_BODY_MAX_BYTES"),
        ("handle /data-processor/* {", "FRONT_UPLOAD_MAX_BYTES"),
        ("handle @ingest {", "INGEST_MAX_BYTES"),
    ],
)
def test_body_limits_are_those_of_the_shared_facts(block: str, fact: str) -> None:
    _, found, rest = CADDYFILE.read_text().partition(block)
    match = re.match(r"\s*request_body \{\s*max_size (\d+)([A-Za-z]+)", rest)
    assert found and match, f"no max_size at the beginning of `{block}` in {CADDY.settings_file}"  # noqa: PT018
    size = int(match[1]) * _UNITS[match[2]]
    assert size == getattr(shared, fact), f"{CADDY.settings_file}, {block} and servicekit/facts.py, {fact} differ"


@pytest.mark.parametrize("name", SERVICES)
def test_services_say_the_same_of_their_ports_and_paths_as_the_table(name: str) -> None:
    service = facts.services()[name]
    default = {one.variable: one.default for one in service.settings}
    for port in SPECS[name].ports:
        assert default[port.setting] in (None, str(port.number)), f"{port.setting} of services/{name}"
    paths = {route.path for route in service.routes}
    assert {SPECS[name].health_path, SPECS[name].live_path} <= paths, f"{name} has no such route (components.py)"
