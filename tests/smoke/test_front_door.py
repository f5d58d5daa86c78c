"""The front door: where each address leads, what reaches a service, and what Caddy says of it.

Protects from requests that reach a service past the front door, or the wrong service.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import requests

from plumbline import net
from plumbline.stack import Stack
from plumbline.targets.base import Target
from plumbline.verification.checks import contract, findings, pages
from plumbline.verification.checks.client import TIMEOUT_S, Answer, User
from plumbline.verification.checks.own_logs import caddys_line
from plumbline.verification.throwaway import wait_for_value

NEXT = "compare docker/caddy/Caddyfile with the repository, then ./deploy-local.sh"
PATHS = {"backend": "/channels/", "data-processor": "/data-processor/templates/"}
METHODS = {"get", "head", "post", "put", "patch", "delete"}
CLAIMED = "203.0.113.9"


def leads_to_a_service(answer: requests.Response) -> bool:
    """Return whether a service gave the answer: Caddy adds `Via` to those that it passes on."""
    return "Via" in answer.headers


@pytest.mark.parametrize(
    ("path", "status", "to"),
    [*((path, 308, to) for path, to in pages.REDIRECTS.items()), ("/logs/", 303, "/logs/login")],
)
def test_redirects_lead_where_they_must(stack: Stack, path: str, status: int, to: str) -> None:
    """Protects from links that lead to another host, or into nothing."""
    with net.direct_session() as http:
        answer = http.get(stack.base_url + path, timeout=TIMEOUT_S, allow_redirects=False)
    found = (answer.status_code, answer.headers.get("Location"))
    assert found == (status, to), f"caddy: {path} is redirected wrongly. Next: {NEXT}"


@pytest.mark.parametrize("document", ["/openapi.json", "/data-processor/openapi.json"])
def test_every_documented_call_reaches_its_service(stack: Stack, document: str) -> None:
    with net.direct_session() as http:
        described = http.get(stack.base_url + document, timeout=TIMEOUT_S)
        assert described.status_code == 200, (
            f"caddy: {document} gives {described.status_code}; expected 200. Next: {NEXT}"
        )
        calls = [
            (method.upper(), re.sub(r"\{[^}]*\}", "1", path))
            for path, operations in described.json()["paths"].items()
            for method in operations.keys() & METHODS
        ]
        answers = {
            f"{method} {path}": http.request(method, stack.base_url + path, timeout=TIMEOUT_S, allow_redirects=False)
            for method, path in calls
        }
    assert len(calls) > 10
    lost = [f"caddy: {call} gives {one.status_code}" for call, one in answers.items() if not leads_to_a_service(one)]
    findings.require_none(lost, about="calls of the OpenAPI document reach no service", then=NEXT)


@pytest.mark.parametrize(("more", "passed"), [(0, True), (1, False)])
def test_bodies_reach_the_backend_up_to_their_limit(alice: User, more: int, passed: bool) -> None:
    size = contract.FRONT_MAX_BYTES["backend"] + more
    headers = {"Content-Type": "application/json"}
    answer = alice.http.post(f"{alice.base_url}/channels/", data=bytes(size), headers=headers, timeout=TIMEOUT_S)
    found = leads_to_a_service(answer)
    assert found is passed, (
        f"caddy: a body of {size} bytes for the backend is {'passed on' if found else 'refused'}; "
        f"the limit is {size - more}. Next: {NEXT}"
    )
    assert passed or answer.status_code == 413, f"caddy: refuses a body with {answer.status_code}; expected 413"


@pytest.mark.parametrize("path", ["/auth/me", "/data-processor/templates/", "/logs/entries"])
def test_a_service_gets_the_request_id_of_caddy(stack: Stack, path: str) -> None:
    claimed = "00000000-0000-4000-8000-000000000000"
    with net.direct_session() as http:
        answer = http.get(stack.base_url + path, headers={"X-Request-Id": claimed}, timeout=TIMEOUT_S)
    told = answer.json()["request_id"]
    assert told != claimed, f"caddy: {path}: the service uses the request id that the client chose. Next: {NEXT}"
    assert told == answer.headers["X-Request-Id"], (
        f"caddy: {path}: header and document have different ids. Next: {NEXT}"
    )


@pytest.fixture
def logged(target: Target) -> Callable[[Answer], dict[str, Any]]:
    """Returns the line of Caddy's own log about a request."""

    return lambda answer: wait_for_value(
        lambda: caddys_line(target, answer.request_id), bool, f"a line of Caddy's own log about {answer.request_id}"
    )


@pytest.mark.parametrize("path", [*PATHS.values(), "/nowhere"])
def test_caddys_own_log_has_every_request(alice: User, logged: Callable[[Answer], dict[str, Any]], path: str) -> None:
    """Protects from requests of which there is no trace afterwards."""
    answer = alice.get(path)
    line = logged(answer)
    found = {"status": line["status"], **{name: line["request"].get(name) for name in ("method", "uri")}}
    assert found == {"status": answer.status, "method": "GET", "uri": path}, (
        f"caddy: logs a request wrongly. Next: {NEXT}"
    )


def test_an_address_that_a_client_claims_is_not_its_address(
    stack: Stack, alice: User, logged: Callable[[Answer], dict[str, Any]]
) -> None:
    trusted = [one for one in stack.settings if one.startswith("PLUMBLINE_FRONT_TRUSTED_PROXIES")]
    claimed = alice.call("GET", "/auth/me", headers={"X-Forwarded-For": CLAIMED, "X-Real-IP": CLAIMED})
    request = logged(claimed)["request"]
    assert "client_ip" in request, f"caddy: its log does not say which client sent a request. Next: {NEXT}"
    assert trusted or request["client_ip"] == request["remote_ip"] != CLAIMED, (
        f"caddy: takes a client at {request['remote_ip']} for {request['client_ip']}, as it claims. Next: {NEXT}"
    )


@pytest.mark.disrupt
def test_an_outage_is_told_without_what_is_behind_caddy(target: Target, stack: Stack) -> None:
    target.stop("log-sink")
    try:
        with net.direct_session() as http:
            answer = Answer(http.get(f"{stack.base_url}/logs/health", timeout=TIMEOUT_S))
    finally:
        target.start("log-sink")
    problem = answer.expect_problem(502)
    assert (problem["code"], answer.headers.get("Retry-After")) == ("upstream_unavailable", "2"), (
        f"caddy: an outage of the log-sink has another code or Retry-After. Next: {NEXT}"
    )
    shown = re.findall(r"\d+\.\d+\.\d+\.\d+|:\d{2,5}\b|dial|refused|log-sink", problem["detail"])
    assert shown == [], f"caddy: an outage tells clients what is behind it: {problem['detail']!r}. Next: {NEXT}"
