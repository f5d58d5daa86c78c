"""Users, sessions and chat. tests/websocket compares calls and frames with today's."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from servicekit.tokens import Identity, issue, new_session_id
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from plumbline.verification.throwaway import THROUGH_CADDY

from .conftest import OPERATOR_PASSWORD, TIMEOUT_S, TOKEN_SECRET, BaselineProcess, User

NewUser = Callable[[], User]


def read_to_end(socket: ClientConnection) -> None:
    while True:
        socket.recv(timeout=TIMEOUT_S)


def log_in(url: str, password: str = OPERATOR_PASSWORD, name: str = "operator") -> requests.Response:
    form = {"username": name, "password": password}
    return requests.post(f"{url}/auth/login", data=form, headers=THROUGH_CADDY, timeout=TIMEOUT_S)


def test_chat_survives_a_crash_and_documents_do_not(own_baseline: BaselineProcess, png: bytes) -> None:
    own_baseline.start()
    user = User(own_baseline.url)
    channel = user.channel()
    posted = user.post(f"/channels/{channel}/messages", {"content": "kept"}).json()
    document = user.upload(channel, png).json()["id"]
    own_baseline.kill()
    own_baseline.start()
    assert user.get(f"/channels/{channel}/messages").json()["items"][-1] == posted
    assert user.get(f"/data-processor/documents/{document}/").json()["code"] == "no_such_document"


def test_no_session_of_another_database_is_valid(baseline: BaselineProcess, new_user: NewUser) -> None:
    user = new_user()
    # As today's backend would sign it: there, user 1 is another person.
    todays = issue(TOKEN_SECRET, Identity(user.id, user.name, is_operator=True), new_session_id(), 60)
    headers = {**THROUGH_CADDY, "Authorization": f"Bearer {todays}"}
    for path in ("/auth/me", "/auth/operator"):
        assert requests.get(baseline.url + path, headers=headers, timeout=TIMEOUT_S).status_code == 401
    assert user.get("/auth/me").json()["id"] == user.id


def test_only_the_operator_may_read_the_recorder(baseline: BaselineProcess, new_user: NewUser) -> None:
    assert new_user().get("/auth/operator").json()["code"] == "not_an_operator"
    token = log_in(baseline.url).json()["access_token"]
    headers = {**THROUGH_CADDY, "Authorization": f"Bearer {token}"}
    answer = requests.get(f"{baseline.url}/auth/operator", headers=headers, timeout=TIMEOUT_S)
    assert (answer.status_code, answer.headers["X-Operator"]) == (200, "operator")


def test_many_wrong_passwords_are_refused(baseline: BaselineProcess, new_user: NewUser) -> None:
    name = new_user().name
    # Two windows of 30 attempts, because a minute may end in between.
    answers = [log_in(baseline.url, "wrong", name).status_code for _ in range(62)]
    assert answers[0] == 401
    assert 429 in answers


def test_requests_that_bypass_caddy_or_come_from_other_sites_are_refused(
    baseline: BaselineProcess, new_user: NewUser
) -> None:
    assert requests.get(f"{baseline.url}/channels/", timeout=TIMEOUT_S).json()["code"] == "front_door_only"
    user = new_user()
    foreign = {"Origin": "https://elsewhere.example"}
    answer = user.http.post(f"{user.url}/channels/", json={"name": "#x"}, headers=foreign, timeout=TIMEOUT_S)
    assert answer.json()["code"] == "foreign_origin"


def test_registration_is_closed_where_the_stack_closed_it(own_baseline: BaselineProcess) -> None:
    own_baseline.set(registration="invite", pool_size=4)
    own_baseline.start()
    body = {"username": "somebody", "password": "five good words here"}
    answer = requests.post(f"{own_baseline.url}/auth/register", json=body, headers=THROUGH_CADDY, timeout=TIMEOUT_S)
    assert answer.json()["code"] == "registration_closed"
    assert log_in(own_baseline.url).status_code == 200


def test_a_second_process_does_not_get_the_database(own_baseline: BaselineProcess) -> None:
    own_baseline.start()
    second = own_baseline.run("serve")
    assert second.returncode == 75
    assert "cannot be used: database is locked" in second.stderr


def test_what_cannot_be_used_is_said_in_one_sentence(own_baseline: BaselineProcess, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("in the way of the folder")
    refused = own_baseline.run("serve")
    assert refused.returncode == 75
    assert refused.stderr.startswith(f"baseline: {tmp_path / 'data'} cannot be used:")
    (tmp_path / "token_secret").unlink()
    (tmp_path / "data").unlink()
    refused = own_baseline.run("serve")
    assert (refused.returncode, len(refused.stderr.splitlines())) == (78, 1)


def test_sockets_are_told_of_a_stop(own_baseline: BaselineProcess) -> None:
    own_baseline.start()
    user = User(own_baseline.url)
    headers = {**THROUGH_CADDY, "Cookie": f"access_token={user.http.cookies['access_token']}"}
    address = f"{user.url.replace('http', 'ws', 1)}/ws/{user.id}"
    with connect(address, additional_headers=headers, proxy=None) as socket:
        assert own_baseline.stop() == 0
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=TIMEOUT_S)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012


def test_a_client_that_does_not_read_is_disconnected(own_baseline: BaselineProcess) -> None:
    own_baseline.set(socket_queue=2)
    own_baseline.start()
    user = User(own_baseline.url)
    channel = user.channel()
    headers = {**THROUGH_CADDY, "Cookie": f"access_token={user.http.cookies['access_token']}"}
    address = f"{user.url.replace('http', 'ws', 1)}/ws/{user.id}"
    big = json.dumps({"type": "message", "channel_id": channel, "content": "x" * 60_000})
    with (
        connect(address, additional_headers=headers, proxy=None, max_queue=1) as deaf,
        connect(address, additional_headers=headers, proxy=None, max_queue=None) as sender,
    ):
        for _ in range(400):
            sender.send(big)
            sender.recv(timeout=TIMEOUT_S)
        with pytest.raises(ConnectionClosed) as closed:
            read_to_end(deaf)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1013


def test_messages_are_listed_in_pages(new_user: NewUser) -> None:
    user = new_user()
    channel = user.channel()
    for number in range(5):
        user.post(f"/channels/{channel}/messages", {"content": str(number)})
    first = user.get(f"/channels/{channel}/messages?limit=3").json()
    second = user.get(f"/channels/{channel}/messages?limit=3&before={first['items'][0]['id']}").json()
    contents = [[one["content"] for one in page["items"] if one["sender_id"]] for page in (first, second)]
    assert contents == [["2", "3", "4"], ["0", "1"]]
    assert second["next"] is None
