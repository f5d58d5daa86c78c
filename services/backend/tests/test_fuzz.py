"""No input causes a server error."""

from __future__ import annotations

import json
from collections.abc import Iterator

import orjson
import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.sync.client import ClientConnection

from plumbline.verification.throwaway import through_caddy

from .conftest import TIMEOUT_S, Backend, User, frames_before_pong

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
IDS = st.integers(-(2**65), 2**65) | st.text(max_size=5)
ANY_TEXT = st.text(st.characters(), max_size=90)
BODIES = st.one_of(
    ANY_JSON,
    st.fixed_dictionaries({}, optional={"username": ANY_TEXT, "password": ANY_TEXT, "display_name": ANY_TEXT}),
    st.fixed_dictionaries({"name": ANY_TEXT.map(lambda text: "#" + text)}, optional={"type": ANY_JSON}),
    st.fixed_dictionaries({"content": ANY_TEXT}, optional={"image_url": ANY_TEXT.map(lambda text: "http://" + text)}),
    st.fixed_dictionaries({"user_id": IDS}),
)
ADDRESSES = ["/auth/register", "/auth/login", "/channels/", "/channels/{}/messages", "/channels/{}/members",
             "/channels/{}/join", "/channels/dm/{}"]  # fmt: skip
QUIET = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def user(backend: Backend) -> User:
    return User(backend.url)


@pytest.fixture(scope="module")
def own_channel(user: User) -> int:
    found: int = user.channel()["id"]
    return found


def check_answer(response: requests.Response) -> None:
    assert response.status_code < 500, (response.request.url, response.request.body, response.text)
    if response.status_code >= 400:
        assert response.json()["status"] == response.status_code


@QUIET
@given(address=st.sampled_from(ADDRESSES), body=BODIES | st.binary(max_size=200), channel=st.none() | IDS)
def test_any_body(user: User, own_channel: int, address: str, body: object, channel: object) -> None:
    place = address.format(own_channel if channel is None else requests.utils.quote(str(channel), safe=""))
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    check_answer(
        through_caddy(
            "POST",
            user.url + place,
            data=data,
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {user.token}"},
            timeout=TIMEOUT_S,
        )
    )


@QUIET
@given(name=ANY_TEXT, before=IDS, limit=IDS)
def test_any_query(user: User, own_channel: int, name: str, before: object, limit: object) -> None:
    for path in ("/channels/search", "/channels/", f"/channels/{own_channel}/messages"):
        for params in ({"name": name}, {"name": name, "before": before}, {"name": name, "limit": limit}):
            encoded = {
                key: value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
                for key, value in params.items()
            }
            check_answer(user.get(path, **encoded))


@QUIET
@given(form=st.dictionaries(st.sampled_from(["username", "password", "x"]), ANY_TEXT))
def test_any_login(backend: Backend, form: dict[str, str]) -> None:
    encoded = {key: value.encode("utf-8", "surrogatepass") for key, value in form.items()}
    check_answer(through_caddy("POST", backend.url + "/auth/login", data=encoded, timeout=TIMEOUT_S))


@pytest.fixture(scope="module")
def opened(user: User) -> Iterator[ClientConnection]:
    with user.socket() as socket:
        yield socket


@QUIET
@given(
    frame=st.one_of(
        ANY_JSON,
        st.fixed_dictionaries(
            {"type": st.sampled_from(["message", "typing", "ping"])},
            optional={"channel_id": IDS | st.booleans(), "payload": ANY_JSON, "content": ANY_JSON},
        ),
    )
    | st.binary(max_size=100)
    | st.text(max_size=100).map(lambda text: text.encode("utf-8", "replace").decode())
)
def test_any_frame(opened: ClientConnection, frame: object) -> None:
    opened.send(frame if isinstance(frame, bytes | str) else json.dumps(frame))
    assert len(frames_before_pong(opened)) <= 1


def test_no_unexpected_error_was_logged(backend: Backend) -> None:
    # That of test_deletions is caused by a foreign key that is not ours.
    logged = backend.logged("unexpected error", "error")
    assert [one for one in logged if "messages_channel_id_content_fkey" not in one["exception"]] == []
    assert orjson.loads(through_caddy("GET", backend.url + "/health", timeout=TIMEOUT_S).content)["status"] == "ok"
