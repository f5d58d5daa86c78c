"""A client of Plumbline: calls and live events with one session. Needs the packages `requests` and `websockets`."""

from __future__ import annotations

import getpass
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

SESSION_ENDED = 4401
"""With this code, the stack closes the socket of a session that has ended."""


class Client:
    """A user who has logged in."""

    def __init__(self, address: str, username: str, password: str) -> None:
        self.address = address
        self.http = requests.Session()
        session = self.call("POST", "/auth/login", data={"username": username, "password": password}).json()
        self.user_id = session["user"]["id"]
        self.headers = {"Authorization": f"Bearer {session['access_token']}"}
        self.http.headers.update(self.headers)

    def call(self, method: str, path: str, **arguments: Any) -> requests.Response:
        """Make a call. Ends the program with the reason if the stack refuses it."""
        try:
            answer = self.http.request(method, self.address + path, timeout=60, **arguments)
        except requests.ConnectionError:
            sys.exit(f"{self.address} cannot be reached: is the stack up? ./deploy-local.sh status shows it")
        if not answer.ok:
            sys.exit(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer

    def upload(self, channel_id: int, file: Path) -> dict[str, Any]:
        """Upload a document to a channel and return what the stack says about it."""
        files = {"file": (file.name, file.read_bytes())}
        answer = self.call("POST", "/data-processor/documents/", data={"channel_id": channel_id}, files=files)
        return dict(answer.json())

    def events(self, since: int = 0) -> Iterator[dict[str, Any]]:
        """Yield every event after `since`, in order, each once, also after a lost connection.

        The first one after 0 is `read_again`: nothing that happens from then on is missed.
        """
        socket_address = self.address.replace("http", "ws", 1) + f"/ws/{self.user_id}"
        while True:
            try:
                with connect(f"{socket_address}?since={since}", additional_headers=self.headers) as socket:
                    for text in socket:
                        event = json.loads(text)
                        since = event.get("event_id", since)
                        yield event
            except ConnectionClosed as closed:
                if closed.rcvd and closed.rcvd.code == SESSION_ENDED:
                    raise
            except OSError:
                pass  # The stack cannot be reached now.
            time.sleep(1)


def asked_arguments(usage: str) -> list[str]:
    """Return the program's arguments. Ends it if `usage`, "What it does: PROGRAM ARGUMENTS.", has others."""
    command = usage.rpartition(": ")[2].rstrip(".")
    if len(sys.argv) != len(command.split()):
        sys.exit(f"usage: {command}")
    return sys.argv[1:]


def asked_file(name: str) -> Path:
    """Return the path of a file. Ends the program if it cannot be read."""
    try:
        Path(name).open("rb").close()
    except OSError as error:
        sys.exit(f"{name} cannot be read: {error.strerror}")
    return Path(name)


def asked_password() -> str:
    """Return the password, from the terminal or the first line of a redirected file."""
    return getpass.getpass() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")


def wait_until_read(events: Iterator[dict[str, Any]], document_id: int) -> None:
    """Wait for the event that the text of a document was read."""
    next(one for one in events if one["type"] == "ocr_complete" and one["document_id"] == document_id)
