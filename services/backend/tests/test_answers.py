"""What every answer of the backend carries, whatever it says."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from plumbline.verification.throwaway import THROUGH_CADDY, through_caddy

from .conftest import TIMEOUT_S, Backend, Person

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def paths(backend: Backend) -> dict[str, set[str]]:
    """Every path, ids filled in, with the methods it takes."""
    schema = through_caddy("GET", backend.url + "/openapi.json", timeout=TIMEOUT_S).json()
    found = {"/openapi.json": {"GET"}} | {
        path.format(channel_id=1, user_id=1, invite_id=1): {method.upper() for method in operations}
        for path, operations in schema["paths"].items()
    }
    return {path: methods | ({"HEAD"} if "GET" in methods else set()) for path, methods in found.items()}


def test_allow_names_every_method_of_every_path(backend: Backend) -> None:
    found = paths(backend)
    assert len(found) >= 16
    for path, methods in found.items():
        for method in METHODS:
            answer = through_caddy(method, backend.url + path, timeout=TIMEOUT_S)
            if method in methods:
                assert answer.status_code != 405, (method, path)
                continue
            if (method, path) == ("DELETE", "/channels/search"):
                # Read as the deletion of a channel, whose id is a number.
                assert answer.status_code in (401, 422)
                continue
            assert answer.status_code == 405, (method, path)
            assert set(answer.headers["allow"].split(", ")) == methods, (method, path)
            assert method == "HEAD" or answer.json()["code"] == "method_not_allowed"


def test_every_answer_is_kept_out_of_caches_and_read_as_what_it_says_it_is(
    backend: Backend, person: Callable[[], Person]
) -> None:
    somebody = person()
    channel = somebody.channel()["id"]
    answers = {
        "list": somebody.get("/channels/"),
        "created": somebody.post(f"/channels/{channel}/messages", {"content": "hello"}),
        "me": somebody.get("/auth/me"),
        "invalid": somebody.post("/channels/", {}),
        "unknown": somebody.get("/nowhere"),
        "no method": somebody.post("/auth/me"),
        "refused": somebody.get("/auth/operator"),
        "foreign": through_caddy(
            "POST", backend.url + "/channels/", headers={"Origin": "https://evil.test"}, timeout=TIMEOUT_S
        ),
        "no session": through_caddy("GET", backend.url + "/channels/", timeout=TIMEOUT_S),
        "too large": through_caddy("POST", backend.url + "/channels/", data=b"x" * 100_000, timeout=TIMEOUT_S),
        "login": through_caddy(
            "POST",
            backend.url + "/auth/login",
            data={"username": somebody.name, "password": somebody.password},
            timeout=TIMEOUT_S,
        ),
        "registered": through_caddy(
            "POST",
            backend.url + "/auth/register",
            json={"username": f"{somebody.name}-2", "password": "violet-anchor-93"},
            timeout=TIMEOUT_S,
        ),
        "socket": somebody.get(f"/ws/{somebody.id}"),
        "health": somebody.get("/health"),
        "logout": somebody.post("/auth/logout"),
    }
    for name, answer in answers.items():
        assert answer.headers.get("cache-control") == "no-store", name
        assert answer.headers.get("x-content-type-options") == "nosniff", name


@pytest.mark.parametrize("chunked", [False, True], ids=["announced", "chunked"])
@pytest.mark.parametrize("path", ["/channels/", "/auth/login"])
def test_a_refusal_reaches_who_is_still_sending(backend: Backend, path: str, chunked: bool) -> None:
    def pieces() -> Iterator[bytes]:
        yield from (b"x" * 50_000 for _ in range(80))

    headers = {"Content-Type": "application/x-www-form-urlencoded" if "login" in path else "application/json"}
    client = http.client.HTTPConnection("127.0.0.1", backend.port, timeout=TIMEOUT_S)
    with closing(client):
        for _ in range(2):
            body = pieces() if chunked else b"x" * 4_000_000
            client.request("POST", path, body, THROUGH_CADDY | headers, encode_chunked=chunked)
            answer = client.getresponse()
            answer.read()
            assert answer.status == 413
