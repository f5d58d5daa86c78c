"""A user of the stack: data that was written before an upgrade, and messages that are written while it goes on."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import requests

from plumbline.verification.checks import samples

TIMEOUT_S = 60
PASSWORD = "five good words of mine"


class Person:
    """A registered user with a channel, a message, a document, and an annotation of it."""

    def __init__(self, url: str) -> None:
        self.url, self.name = url, f"person-{secrets.token_hex(4)}"
        self.http = requests.Session()
        self._create("/auth/register", json={"username": self.name, "password": PASSWORD})
        self.channel = self._create("/channels/", json={"name": f"#{self.name}"})["id"]
        self.write("before the upgrade")
        files = {"file": ("scan.png", samples.unlike_any_other())}
        document = self._create("/data-processor/documents/", data={"channel_id": self.channel}, files=files)
        self.document, self.content = document["id"], document["urls"]["content"]
        annotation = {
            "page": 1, "bounding_box": {"x": 10.5, "y": 20, "width": 30.25, "height": 15}, "label_type": "field",
            "label_name": "Betrag €", "colour": "#ff8800", "text": "1.234,50",
        }  # fmt: skip
        self._create(f"/data-processor/documents/{self.document}/annotations/", json=annotation)

    def _create(self, path: str, **body: Any) -> Any:
        answer = self.http.post(self.url + path, timeout=TIMEOUT_S, **body)
        assert answer.status_code == 201, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def write(self, content: str) -> None:
        """Write a message."""
        self._create(f"/channels/{self.channel}/messages", json={"content": content})

    def log_in(self) -> None:
        """Log in again."""
        form = {"username": self.name, "password": PASSWORD}
        answer = self.http.post(f"{self.url}/auth/login", data=form, timeout=TIMEOUT_S)
        assert answer.status_code == 200, answer.text

    def messages(self) -> list[str]:
        """Return the contents of all messages of people, sorted."""
        found: list[str] = []
        before: dict[str, Any] | None = {}
        while before is not None:
            page = self._read(f"/channels/{self.channel}/messages", limit=100, **before).json()
            found += [one["content"] for one in page["items"] if one["sender_id"] is not None]
            before = {"before": page["next"]} if page["next"] is not None else None
        return sorted(found)

    def sees(self) -> tuple[bytes, list[Any]]:
        """Return the bytes of the document, and its annotations."""
        annotations = self._read(f"/data-processor/documents/{self.document}/annotations/").json()["items"]
        return self._read(self.content).content, annotations

    def _read(self, path: str, **parameters: Any) -> requests.Response:
        answer = self.http.get(self.url + path, params=parameters, timeout=TIMEOUT_S)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
        return answer


@dataclass
class Written:
    """The messages that were acknowledged, and what was wrong with others."""

    acknowledged: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


@contextmanager
def writing(person: Person) -> Iterator[Written]:
    """Let a person write messages, one after the other, until the block ends; at least a few before and after it."""
    written, ended, enough = Written(), threading.Event(), threading.Event()

    def write() -> None:
        number = after = 0
        while after < _AFTER:
            number += 1
            after += ended.is_set()
            content = f"message {number:06}"
            try:
                person.write(content)
                written.acknowledged.append(content)
            except (AssertionError, requests.RequestException) as error:
                written.failures.append(str(error))
            if number == _BEFORE:
                enough.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert enough.wait(TIMEOUT_S), "no message was written"
        yield written
    finally:
        ended.set()
        writer.join()


_BEFORE = _AFTER = 20
