"""Routes that are called directly answer like those of the framework, whatever is sent."""

from __future__ import annotations

import asyncio
import random
from typing import Annotated, Any

import orjson
import pytest
from backend import refusing
from backend.direct import Arguments, DirectRoute
from backend.errors import Unauthenticated
from backend.responses import json_response
from backend.routes import channels, invites, members, messages
from backend.schemas import MAX_ID, Before, ChannelCreate, Limit, MemberAdd, MessageCreate, PathId, storable
from fastapi import Depends, FastAPI, Query, Request
from fastapi.responses import Response
from fastapi.routing import APIRoute
from pydantic import AfterValidator

Answer = tuple[int, bytes]


async def caller(request: Request) -> str:
    if "x-stranger" in request.headers:
        raise Unauthenticated
    return "caller"


Who = Annotated[str, Depends(caller)]


async def say(channel_id: PathId, body: MessageCreate, who: Who) -> Response:
    return json_response([channel_id, body.model_dump(), who])


async def create(body: ChannelCreate, who: Who) -> Response:
    return json_response([body.model_dump(), who])


async def add(body: MemberAdd, who: Who) -> Response:
    return json_response([body.model_dump(), who])


async def find(
    who: Who,
    name: Annotated[str, Query(max_length=8), AfterValidator(storable)],
    after: Before | None = None,
    before: Before = MAX_ID,
    limit: Limit = 50,
) -> Response:
    return json_response([name, after, before, limit, who])


def app(kind: type[APIRoute]) -> FastAPI:
    made = FastAPI(
        routes=[
            kind("/say/{channel_id}", say, methods=["POST"]),
            kind("/create", create, methods=["POST"]),
            kind("/add", add, methods=["POST"]),
            kind("/find", find, methods=["GET"]),
        ]
    )
    refusing.install(made)
    return made


FRAMEWORK, DIRECT = app(APIRoute), app(DirectRoute)
RUNNER = asyncio.Runner()
"""One event loop for all, because making one takes longer than a request."""


def ask(asked: FastAPI, path: str, body: bytes | None = None, kind: str = "application/json", **headers: str) -> Answer:
    """Return status and body of an answer."""
    sent: list[Any] = []
    path, _, query = path.partition("?")
    given = {**headers} if body is None else {"content-type": kind, **headers}
    scope = {
        "type": "http", "method": "GET" if body is None else "POST", "path": path, "query_string": query.encode(),
        "headers": [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in given.items()],
    }  # fmt: skip

    async def receive() -> Any:
        return {"type": "http.request", "body": body or b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    RUNNER.run(asked(scope, receive, send))
    return sent[0]["status"], sent[1]["body"]


BODIES: dict[str, bytes] = {
    "plain": b'{"content": "hello"}',
    "all": '{"content": "h\u00e9llo \U0001f600", "image_url": "/x.png"}'.encode(),
    "escaped": rb'{"content": "\u0068\n\ud83d\ude00"}',
    "null": b'{"content": "x", "image_url": null}',
    "a key twice": b'{"content": "first", "content": "last"}',
    "a key twice, the last wrong": b'{"content": "first", "content": 1}',
    "unknown fields": b'{"content": "x", "more": [1, {"a": null}], "z": 1e400}',
    "unknown NaN": b'{"content": "x", "z": NaN, "y": -Infinity}',
    "unknown surrogate": rb'{"content": "x", "z": "\ud800"}',
    "surrogate": rb'{"content": "\ud800"}',
    "NUL": rb'{"content": "a\u0000b"}',
    "no UTF-8": b'{"content": "\xff\xfe"}',
    "no UTF-8 in an unknown field": b'{"content": "x", "z": "\xff"}',
    "overlong UTF-8": b'{"content": "x", "z": "\xc0\xaf"}',
    "control character": b'{"content": "a\nb"}',
    "BOM": b'\xef\xbb\xbf{"content": "x"}',
    "UTF-16": '{"content": "x"}'.encode("utf-16"),
    "depth 150": b'{"content": "x", "z": ' + b"[" * 150 + b"]" * 150 + b"}",
    "depth 300": b'{"content": "x", "z": ' + b"[" * 300 + b"]" * 300 + b"}",
    "depth 5,000": b'{"content": "x", "z": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    "5,000 figures": b'{"content": "x", "z": ' + b"9" * 5000 + b"}",
    "300 figures": b'{"content": "x", "z": ' + b"9" * 300 + b"}",
    "empty": b"",
    "null alone": b"null",
    "text alone": b'"content"',
    "list": b"[]",
    "cut off": b'{"content": "x"',
    "more after it": b'{"content": "x"} {}',
    "comma at the end": b'{"content": "x",}',
    "single quotes": b"{'content': 'x'}",
    "leading zero": b'{"content": "x", "z": 01}',
    "plus": b'{"content": "x", "z": +1}',
    "no digit": b'{"content": "x", "z": .5, "y": 1.}',
    "wrong type": b'{"content": 1}',
    "missing": b"{}",
    "too long": b'{"content": "' + b"x" * 8001 + b'"}',
    "blank": b'{"content": " "}',
    "white space": b' \r\n\t{ "content" : "x" } \n',
    "other white space": b'\x0b{"content": "x"}',
}
USER_IDS = (
    "1",
    "1.0",
    "true",
    '"1"',
    "0",
    "-1",
    "9223372036854775807",
    "9223372036854775808",
    "1e2",
    "null",
    "NaN",
    "[1]",
)
PATHS = (
    "/say/5",
    "/say/0",
    "/say/x",
    "/say/+5",
    "/say/ 5",
    "/say/5.0",
    "/say/05",
    "/say/1_0",
    "/say/99999999999999999999",
)
QUERIES = (
    "name=a", "name=", "", "name=123456789", "name=a;limit=3", "name=a%00", "name=%ff", "name=a&name=b",
    "name=a&limit=0", "name=a&limit=10", "name=a&limit=", "name=a&limit=x", "name=a&limit=1&limit=101",
    "name=a&limit=101&limit=1", "name=a&before=1.0", "name=a&after=3&before=2&other=1", "name=a&after=",
    "name=a&after=null", "name=a&limit=%2B5",
)  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
def test_every_body_is_answered_as_by_the_framework(name: str) -> None:
    for path in ("/say/5", "/say/x"):
        for headers in ({}, {"x_stranger": "1"}):
            assert ask(DIRECT, path, BODIES[name], **headers) == ask(FRAMEWORK, path, BODIES[name], **headers)


@pytest.mark.parametrize("value", USER_IDS)
def test_every_number_is_answered_as_by_the_framework(value: str) -> None:
    body = b'{"user_id": %s}' % value.encode()

    assert ask(DIRECT, "/add", body) == ask(FRAMEWORK, "/add", body)


@pytest.mark.parametrize("path", [*PATHS, *(f"/find?{query}" for query in QUERIES)])
def test_every_address_is_answered_as_by_the_framework(path: str) -> None:
    body = None if path.startswith("/find") else BODIES["plain"]

    assert ask(DIRECT, path, body) == ask(FRAMEWORK, path, body)


@pytest.mark.parametrize(
    "kind",
    ["", "text/plain", "application/json; charset=utf-8", "Application/JSON ", "application/problem+json", "json",
     "application/json, text/plain", "application/json;", "multipart/form-data; boundary=x"],
)  # fmt: skip
def test_every_media_type_is_answered_as_by_the_framework(kind: str) -> None:
    assert ask(DIRECT, "/say/5", BODIES["plain"], kind) == ask(FRAMEWORK, "/say/5", BODIES["plain"], kind)


def test_changed_bodies_are_answered_as_by_the_framework() -> None:
    chance = random.Random(23)
    whole = orjson.dumps({"name": "#a", "type": "public", "z": [1, -2.5e3, None, True, "\u00e9\n", {"a": {}}]})
    parts = [
        b'"',
        b"\\",
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b"0",
        b"-",
        b"e",
        b"\xc3",
        b"NaN",
        b"null",
        b" ",
        b"\\u00",
    ]
    for _ in range(150):
        body = bytearray(whole)
        for _ in range(chance.choice((1, 1, 2, 4))):
            at = chance.randrange(len(body))
            body[at : at + chance.choice((0, 1, 3))] = chance.choice(parts)
        assert ask(DIRECT, "/create", bytes(body)) == ask(FRAMEWORK, "/create", bytes(body)), bytes(body)


def test_plain_requests_do_not_reach_the_frameworks_handling(monkeypatch: pytest.MonkeyPatch) -> None:
    async def framework(_self: APIRoute, _request: Request) -> Response:
        raise AssertionError("handled by the framework")

    monkeypatch.setattr(APIRoute, "get_route_handler", lambda self: lambda request: framework(self, request))
    plain = app(DirectRoute)

    assert ask(plain, "/say/5", BODIES["plain"])[0] == 200
    assert ask(plain, "/say/5", BODIES["plain"], "application/json; charset=utf-8")[0] == 200
    assert ask(plain, "/find?name=a&limit=10")[0] == 200
    with pytest.raises(AssertionError, match="handled by the framework"):
        ask(plain, "/say/5", BODIES["missing"])


@pytest.mark.parametrize("module", [channels, invites, members, messages])
def test_the_parameters_of_routes_are_plain(module: Any) -> None:
    for route in module.router.routes:
        assert isinstance(route, DirectRoute)
        assert Arguments.of(route.endpoint) is not None, route.path


def teardown_module() -> None:
    RUNNER.close()
