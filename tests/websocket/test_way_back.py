"""The way back with data: kept, or dropped and brought back from the snapshot. Needs `--own-stack`."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
import requests

from plumbline import baseline
from plumbline.plan import ON_BASELINE
from plumbline.targets.base import Target

TIMEOUT_S = 60
PASSWORD = "five good words of mine"
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8cfc000000301010018dd8d"
    "b00000000049454e44ae426082"
)


@pytest.fixture
def target(request: pytest.FixtureRequest) -> Target:
    """The stack that the tests of the contract use, on this checkout's release."""
    if not request.config.getoption("own_stack"):
        pytest.skip("goes back and forward with a whole stack: --own-stack")
    found: Target = request.getfixturevalue("own_target")
    if found.lineup is ON_BASELINE:
        baseline.forward(found.home, found)
    return found


class Person:
    """A user of this release, with a message and a document."""

    def __init__(self, url: str) -> None:
        self.url, self.name = url, f"user-{secrets.token_hex(4)}"
        self.http = requests.Session()
        self._post("/auth/register", json={"username": self.name, "password": PASSWORD})
        self.channel = self._post("/channels/", json={"name": f"#{self.name}"})["id"]
        self._post(f"/channels/{self.channel}/messages", json={"content": "before the way back"})
        files = {"file": ("scan.png", PNG)}
        self.document = self._post("/data-processor/documents/", data={"channel_id": self.channel}, files=files)

    def _post(self, path: str, **body: Any) -> Any:
        answer = self.http.post(self.url + path, timeout=TIMEOUT_S, **body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def log_in(self) -> int:
        form = {"username": self.name, "password": PASSWORD}
        return requests.post(f"{self.url}/auth/login", data=form, timeout=TIMEOUT_S).status_code

    def sees(self) -> tuple[list[str], bytes]:
        """Return their messages and the bytes of their document, with the session from before."""
        page = self.http.get(f"{self.url}/channels/{self.channel}/messages", timeout=TIMEOUT_S).json()
        content = self.http.get(self.url + self.document["urls"]["content"], timeout=TIMEOUT_S).content
        return [one["content"] for one in page["items"]], content


@pytest.mark.parametrize("drop_data", [False, True], ids=["kept", "dropped"])
def test_users_find_everything_again(target: Target, drop_data: bool) -> None:
    person = Person(target.stack().base_url)
    before = person.sees()
    baseline.to_baseline(target.home, target, drop_data=drop_data)
    stack = target.stack()
    assert (stack.release, stack.running, stack.base_url) == ("baseline", True, person.url)
    assert person.log_in() == 401, "an account of this release is none on the baseline"
    assert person.http.get(f"{person.url}/auth/me", timeout=TIMEOUT_S).status_code == 401
    baseline.to_baseline(target.home, target, drop_data=drop_data)  # again, which changes nothing
    baseline.forward(target.home, target)
    assert target.stack().running
    assert person.sees() == before
    assert person.log_in() == 200
