"""Headers that every answer of the backend has."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from plumbline.verification.throwaway import THROUGH_CADDY, through_caddy

from .conftest import TIMEOUT_S, Backend, User

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
            if path == "/channels/search" and method in ("DELETE", "PATCH"):
                # Matches the route that changes a channel, whose id is a number.
                assert answer.status_code in (401, 422)
                continue
            assert answer.status_code == 405, (method, path)
            assert set(answer.headers["allow"].split(", ")) == methods, (method, path)
            assert method == "HEAD" or answer.json()["code"] == "method_not_allowed"


def test_every_answer_has_no_store_and_nosniff(backend: Backend, new_user: Callable[[], User]) -> None:
    user = new_user()
    channel = user.channel()["id"]
    answers = {
        "list": user.get("/channels/"),
        "created": user.post(f"/channels/{channel}/messages", {"content": "hello"}),
        "me": user.get("/auth/me"),
        "invalid": user.post("/channels/", {}),
        "unknown": user.get("/nowhere"),
        "no method": user.post("/auth/me"),
        "refused": user.get("/auth/operator"),
        "foreign": through_caddy(
            "POST", backend.url + "/channels/", headers={"Origin": "https://evil.test"}, timeout=TIMEOUT_S
        ),
        "no session": through_caddy("GET", backend.url + "/channels/", timeout=TIMEOUT_S),
        "too large": through_caddy("POST", backend.url + "/channels/", data=b"x" * 100_000, timeout=TIMEOUT_S),
        "login": through_caddy(
            "POST",
            backend.url + "/auth/login",
            data={"username": user.name, "password": user.password},
            timeout=TIMEOUT_S,
        ),
        "registered": through_caddy(
            "POST",
            backend.url + "/auth/register",
            json={"username": f"{user.name}-2", "password": "violet-anchor-93"},
            timeout=TIMEOUT_S,
        ),
        "socket": user.get(f"/ws/{user.id}"),
        "health": user.get("/health"),
        "logout": user.post("/auth/logout"),
    }
    for name, answer in answers.items():
        assert answer.headers.get("cache-control") == "no-store", name
        assert answer.headers.get("x-content-type-options") == "nosniff", name


@pytest.mark.parametrize("chunked", [False, True], ids=["announced", "chunked"])
@pytest.mark.parametrize("path", ["/channels/", "/auth/login"])
def test_a_client_that_is_still_sending_gets_the_413(backend: Backend, path: str, chunked: bool) -> None:
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
