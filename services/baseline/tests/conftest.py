"""Fixtures: a real baseline, alone."""

from __future__ import annotations

import io
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
import requests
from PIL import Image

from plumbline.verification.service_process import ServiceProcess
from plumbline.verification.throwaway import THROUGH_CADDY

OPERATOR_PASSWORD = "the operator's password"
TOKEN_SECRET = "a key that signs the tests' session tokens"
TIMEOUT_S = 20


class BaselineProcess(ServiceProcess):
    """The baseline, with its database in `folder`."""

    package = "baseline"
    folders = ("servicekit", "baseline")
    live = "/health"

    def __init__(self, folder: Path, **settings: object) -> None:
        super().__init__("", folder / "baseline.log")
        for name, value in (("token_secret", TOKEN_SECRET), ("operator_password", OPERATOR_PASSWORD)):
            (folder / name).write_text(value)
            self.set(**{f"{name}_file": folder / name})
        self.set(folder=folder / "data", **settings)


class User:
    """A registered user with a session."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.name = f"user-{secrets.token_hex(6)}"
        self.http = requests.Session()
        self.http.headers.update(THROUGH_CADDY)
        answer = self.post("/auth/register", {"username": self.name, "password": f"password of {self.name}"})
        assert answer.status_code == 201, answer.text
        self.id: int = answer.json()["id"]

    def get(self, path: str) -> requests.Response:
        return self.http.get(self.url + path, timeout=TIMEOUT_S)

    def post(self, path: str, body: object = None) -> requests.Response:
        return self.http.post(self.url + path, json=body, timeout=TIMEOUT_S)

    def channel(self) -> int:
        return int(self.post("/channels/", {"name": f"#room-{secrets.token_hex(6)}"}).json()["id"])

    def upload(self, channel_id: int, data: bytes, name: str = "scan.png") -> requests.Response:
        fields: dict[str, Any] = {"data": {"channel_id": channel_id}, "files": {"file": (name, data)}}
        return self.http.post(f"{self.url}/data-processor/documents/", timeout=TIMEOUT_S, **fields)


@pytest.fixture(scope="session")
def baseline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BaselineProcess]:
    """A baseline that all tests share."""
    server = BaselineProcess(tmp_path_factory.mktemp("baseline"))
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def own_baseline(tmp_path: Path) -> Iterator[BaselineProcess]:
    """A baseline of one test, which starts and stops it."""
    server = BaselineProcess(tmp_path)
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def new_user(baseline: BaselineProcess) -> Callable[[], User]:
    return lambda: User(baseline.url)


@pytest.fixture(scope="session")
def png() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 6), "teal").save(out, "PNG")
    return out.getvalue()


@pytest.fixture(scope="session")
def pdf() -> bytes:
    out, made = io.BytesIO(), pypdfium2.PdfDocument.new()
    for _ in range(2):
        made.new_page(200, 100)
    made.save(out)
    return out.getvalue()
