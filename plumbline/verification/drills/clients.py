"""The clients of a drill: they write with the loop that docs/calls.md shows, and note every answer."""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import requests

from plumbline import ROOT, net
from plumbline.stack import Stack
from plumbline.verification.checks.client import TIMEOUT_S, Answer
from plumbline.verification.drills.seen import Ledger, Refusal, Write

_PATIENCE_S = 240.0
"""How long a client repeats a request. A drill that interrupts a deployment keeps the front door closed for long."""
_UNAUTHENTICATED = 401
_UNAVAILABLE = (429, 502, 503, 504)
_SIGNED_OUT_S = 2.0


@cache
def documented_loop() -> Callable[..., requests.Response]:
    """Return the function of docs/calls.md that repeats a request until it is answered."""
    text = (ROOT / "docs" / "calls.md").read_text(encoding="utf-8")
    (code,) = [found for found in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "Idempotency-Key" in found]
    names: dict[str, Any] = {}
    exec(compile(code, "docs/calls.md", "exec"), names)  # noqa: S102  our own page
    found: Callable[..., requests.Response] = names["post_once"]
    return found


@dataclass(frozen=True, slots=True)
class Form:
    """A body that is sent as a form with a file, where the loop of the docs would send JSON."""

    fields: dict[str, str]
    filename: str
    content: bytes

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of requests."""
        return {"data": self.fields, "files": {"file": (self.filename, self.content, "application/pdf")}}


def refusal(response: requests.Response, took_s: float) -> Refusal:
    """Return a refusal, compared with the contract."""
    answer = Answer(response)
    body = answer.json if isinstance(answer.json, dict) else {}
    try:
        answer.expect_problem(response.status_code)
        repeatable = response.status_code in _UNAVAILABLE or body["code"] == "key_in_use"
        unclear = "it has no Retry-After" if repeatable and "Retry-After" not in response.headers else ""
    except (AssertionError, KeyError) as error:
        unclear = f"{error or type(error).__name__}"[:300]
    return Refusal(response.status_code, str(body.get("code", "none")), took_s, unclear)


class Account:
    """A user. Renews the session when it has ended."""

    def __init__(self, stack: Stack, name: str) -> None:
        self.base_url = stack.base_url
        self.username, self._password = name, secrets.token_urlsafe(12)
        self._lock = threading.Lock()
        with net.direct_session() as http:
            account = {"username": name, "password": self._password}
            made = http.post(f"{self.base_url}/auth/register", json=account, timeout=TIMEOUT_S)
        self.id: int = Answer(made).expect(201)["id"]
        self.token = ""
        self.renew("")

    def renew(self, ended: str) -> None:
        """Log in again, unless another thread has done so. Raises requests.RequestException if that is refused."""
        with self._lock:
            if self.token != ended:
                return
            form = {"username": self.username, "password": self._password}
            with net.direct_session() as http:
                answer = http.post(f"{self.base_url}/auth/login", data=form, timeout=TIMEOUT_S)
            if answer.status_code != 200:
                time.sleep(_SIGNED_OUT_S)
                raise requests.RequestException(f"the login was answered {answer.status_code}")
            self.token = answer.json()["access_token"]

    @property
    def headers(self) -> dict[str, str]:
        """The header with the session."""
        return {"Authorization": f"Bearer {self.token}"}

    def http(self) -> requests.Session:
        """Return a session of requests with this user's token."""
        session = net.direct_session()
        session.headers.update(self.headers)
        return session

    def pages(self, path: str, **parameters: Any) -> Iterator[list[dict[str, Any]]]:
        """Yield the pages of a list, the newest first. Waits as long as the stack asks for, and logs in again."""
        with net.direct_session() as http:
            while True:
                body = self._read(http, path, parameters)
                yield body["items"]
                if body["next"] is None:
                    return
                parameters["before"] = body["next"]

    def _read(self, http: requests.Session, path: str, parameters: dict[str, Any]) -> dict[str, Any]:
        until = time.monotonic() + _PATIENCE_S
        while True:
            wait_s, token = 1.0, self.token
            try:
                response = http.get(self.base_url + path, params=parameters, headers=self.headers, timeout=TIMEOUT_S)
                if response.ok:
                    return dict(response.json())
                if response.status_code == _UNAUTHENTICATED:
                    self.renew(token)
                wait_s = float(response.headers.get("Retry-After", wait_s))
            except requests.RequestException:
                if time.monotonic() > until:
                    raise
            time.sleep(wait_s)


class _Noting(requests.Session):
    """Notes what each try was answered, sends forms, and logs in again."""

    def __init__(self, account: Account, ledger: Ledger) -> None:
        super().__init__()
        plain = net.direct_session()
        self.trust_env, self.verify = plain.trust_env, plain.verify
        self._account, self._ledger = account, ledger

    def post(self, url: Any, data: Any = None, json: Any = None, **arguments: Any) -> requests.Response:
        """Send a request once, and note how it was answered."""
        del data
        token = self._account.token
        headers = {**arguments.pop("headers", {}), "Authorization": f"Bearer {token}"}
        body = json.arguments() if isinstance(json, Form) else {"json": json}
        began = time.monotonic()
        try:
            response = super().post(url, headers=headers, **body, **arguments)
        except requests.RequestException as error:
            self._ledger.unanswered.append(type(error).__name__)
            raise
        if not response.ok:
            self._ledger.refusals.append(refusal(response, time.monotonic() - began))
        if response.status_code == _UNAUTHENTICATED:
            self._account.renew(token)
            raise requests.RequestException("the session had ended")
        return response


class Writer:
    """Writes to one channel, one request after another, until it is told to end."""

    def __init__(self, ledger: Ledger, account: Account, channel: int, pause_s: float) -> None:
        self._ledger, self._account, self._channel = ledger, account, channel
        self._pause_s = pause_s
        self._http = _Noting(account, ledger)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._end = threading.Event()
        self.last_begun_at = 0.0
        """When the last write that was acknowledged began."""

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def end(self) -> None:
        """Let the writer end after its current write."""
        self._end.set()

    def join(self, timeout_s: float) -> bool:
        """Wait for the end; return whether it came."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        with self._http:
            while not self._end.is_set():
                began = time.monotonic()
                self._write()
                self._end.wait(max(0.0, self._pause_s - (time.monotonic() - began)))

    def _write(self) -> None:
        self._post("message", f"/channels/{self._channel}/messages", lambda mark: {"content": mark})

    def _post(self, kind: str, path: str, body: Callable[[str], object]) -> int | None:
        """Write something under a new mark; return its id, None if that was given up."""
        mark = f"{self._ledger.run}-{secrets.token_hex(6)}"
        began = time.monotonic()
        try:
            response = documented_loop()(self._http, self._account.base_url + path, body(mark), _PATIENCE_S)
        except requests.RequestException as error:
            self._ledger.given_up.append(f"{kind}: {error}")
            return None
        if not response.ok:
            self._ledger.given_up.append(f"{kind}: answered {response.status_code} {response.text[:200]}")
            return None
        made = int(response.json()["id"])
        self._ledger.writes.append(Write(kind, mark, made, self._channel, began, time.monotonic()))
        self.last_begun_at = began
        return made


class Uploader(Writer):
    """Uploads documents and annotates them."""

    def __init__(self, ledger: Ledger, account: Account, channel: int, pause_s: float, file: bytes) -> None:
        super().__init__(ledger, account, channel, pause_s)
        self._file = file

    def _write(self) -> None:
        fields = {"channel_id": str(self._channel)}
        path = "/data-processor/documents/"
        document = self._post("document", path, lambda mark: Form(fields, f"{mark}.pdf", self._file))
        if document is not None:
            box = {"x": 1, "y": 2, "width": 3, "height": 4}
            label = {"bounding_box": box, "label_type": "field"}
            self._post("annotation", f"{path}{document}/annotations/", lambda mark: label | {"label_name": mark})
