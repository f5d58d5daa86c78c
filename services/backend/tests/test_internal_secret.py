"""Only requests through Caddy are served; any local account can reach the backend's port."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import orjson
import pytest
import requests
import websockets
from websockets.sync.client import connect

from .conftest import TIMEOUT_S, Backend, User

CLAIMS = [{}, {"X-Plumbline-Internal": "guessed"}, {"X-Forwarded-For": "198.51.100.7"}]


@pytest.mark.parametrize("headers", CLAIMS)
def test_requests_without_the_internal_secret_are_refused(backend: Backend, headers: dict[str, str]) -> None:
    for method, path in (("POST", "/auth/login"), ("GET", "/openapi.json"), ("GET", "/auth/me"), ("GET", "/nowhere")):
        answer = requests.request(
            method, backend.url + path, data={"username": "a", "password": "b"}, headers=headers, timeout=TIMEOUT_S
        )
        assert (answer.status_code, answer.json()["code"]) == (403, "front_door_only")
        assert "front door" in answer.json()["detail"]
        assert answer.json()["request_id"] == answer.headers["X-Request-Id"]


def test_a_socket_without_the_internal_secret_is_refused(backend: Backend, new_user: Callable[[], User]) -> None:
    user = new_user()
    address = backend.url.replace("http", "ws", 1) + f"/ws/{user.id}"
    with pytest.raises(websockets.InvalidStatus) as caught:
        connect(address, additional_headers={"Authorization": f"Bearer {user.token}"}, proxy=None)
    assert caught.value.response.status_code == 403
    assert orjson.loads(caught.value.response.body)["code"] == "front_door_only"


@pytest.mark.parametrize("path", ["/health", "/health/live"])
def test_health_needs_no_internal_secret(backend: Backend, path: str) -> None:
    assert requests.get(backend.url + path, timeout=TIMEOUT_S).status_code == 200


@pytest.mark.parametrize("name", ["INTERNAL_SECRET_FILE", "REDIS_PASSWORD_FILE"])
def test_missing_secrets_prevent_the_start(backend: Backend, name: str) -> None:
    for value, said in ((None, f"PLUMBLINE_{name}: Field required"), ("/none", "secret file /none does not exist")):
        environment = {key: given for key, given in backend.environment.items() if key != f"PLUMBLINE_{name}"}
        environment |= {f"PLUMBLINE_{name}": value} if value else {}
        refused = subprocess.run(
            backend.command("serve"), env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert (refused.returncode, said in refused.stderr) == (78, True), refused.stderr
        assert refused.stderr.count("\n") == 1
