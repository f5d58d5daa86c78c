"""Reads the recorder as an operator does: through the front door, with the operator's session."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests
from servicekit.secrets import SecretError, read_secret

from plumbline import net
from plumbline.errors import PlumblineError
from plumbline.stack import Stack

_TIMEOUT_S = 10
_SILENCE_S = 15
"""A live line that says nothing for so long is dead: it has a heartbeat every 5 s."""
_RETRY_S = 1.0


def operator_session(stack: Stack) -> requests.Session:
    """Return an HTTP session that is logged in as the stack's operator."""
    session = net.direct_session()
    try:
        password = read_secret(Path(stack.operator.password_file))
        answer = session.post(
            f"{stack.base_url}/auth/login",
            data={"username": stack.operator.username, "password": password},
            timeout=_TIMEOUT_S,
        )
    except SecretError as error:
        raise PlumblineError(str(error)) from None
    except requests.RequestException:
        raise PlumblineError(
            f"{stack.base_url} does not answer",
            hint="./deploy-local.sh status; ./deploy-local.sh logs --component backend",
        ) from None
    if answer.status_code != 200:
        raise PlumblineError(f"the operator could not log in at {stack.base_url}: {_detail(answer)}")
    session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
    return session


def entries(stack: Stack, **filters: str | int | None) -> list[dict[str, Any]]:
    """Return the recorder's entries, oldest first. Filters: service, level, request_id, q, limit."""
    with operator_session(stack) as session:
        chosen = {name: value for name, value in filters.items() if value is not None}
        answer = session.get(f"{stack.base_url}/logs/entries", params=chosen, timeout=_TIMEOUT_S)
    if answer.status_code != 200:
        raise PlumblineError(f"the recorder did not answer: {_detail(answer)}")
    items: list[dict[str, Any]] = answer.json()["items"]
    return items[::-1]


def follow(stack: Stack, **filters: str | None) -> Iterator[dict[str, Any] | str]:
    """Yield what is kept, oldest first, then each entry as it comes; as text, what happens to the line itself.

    Goes on where it was after every break, for ever. Filters: service, level, request_id, q. Raises PlumblineError if
    the operator cannot log in at the beginning.
    """
    chosen = {name: value for name, value in filters.items() if value is not None}
    tail = _Tail(stack, chosen)
    while True:
        try:
            yield from tail.read()
        except PlumblineError as error:
            if not tail.down:
                tail.down = True
                yield f"the live line is down ({error}); trying again"
        time.sleep(_RETRY_S)


class _Tail:
    """The live tail: where it is, and what it has said about itself."""

    def __init__(self, stack: Stack, chosen: dict[str, str]) -> None:
        self._stack = stack
        self._chosen = chosen
        self._session = operator_session(stack)
        self._last_id = "0"
        self._away = False
        self._since: str | None = None
        self.down = False

    def read(self) -> Iterator[dict[str, Any] | str]:
        """Yield as `follow` does, until the line ends. Raises PlumblineError if it is not to be had."""
        try:
            answer = self._session.get(
                f"{self._stack.base_url}/logs/stream",
                params=self._chosen,
                headers={"Last-Event-ID": self._last_id},
                stream=True,
                timeout=(_TIMEOUT_S, _SILENCE_S),
            )
        except requests.RequestException:
            raise PlumblineError(f"{self._stack.base_url} does not answer") from None
        with answer:
            if answer.status_code == 401:
                # The session is over; a new one goes on where this one was.
                self._session.close()
                self._session = operator_session(self._stack)
                return
            if answer.status_code != 200:
                raise PlumblineError(f"the recorder did not answer: {_detail(answer)}")
            if self.down:
                self.down = False
                yield "the live line is back"
            try:
                for name, identity, data in _events(answer):
                    yield from self._told(name, identity, data)
            except requests.RequestException:
                return  # a broken line is seen at the next try, if it lasts

    def _told(self, name: str, identity: str, data: Any) -> Iterator[dict[str, Any] | str]:
        if name == "away":
            if not self._away:
                self._away = True
                yield str(data["detail"])
            return
        self._away = False
        if name == "message":
            self._last_id = identity
            yield data
        elif name == "gap":
            yield f"{data['missed']} entries came and went too fast to be shown"
        elif name == "reset" and data["since"] != self._since:
            self._since = data["since"]
            yield f"the recorder was emptied; it has been filling since {data['since']}"


def _events(answer: requests.Response) -> Iterator[tuple[str, str, Any]]:
    """Yield (name, id, data) of each server-sent event; an entry's name is `message`."""
    name, identity, data = "message", "", ""
    for raw in answer.iter_lines():
        field, _, value = raw.decode().partition(": ")
        if field == "event":
            name = value
        elif field == "id":
            identity = value
        elif field == "data":
            data = value
        elif not raw:
            if data:
                yield name, identity, json.loads(data)
            name, identity, data = "message", "", ""


def line(entry: dict[str, Any]) -> str:
    """Return an entry as one line for a terminal, its exception indented below."""
    head = f"{entry['ts']} {entry['level'].upper():<8} {entry['service']:<15} {entry['message']}"
    if entry.get("request_id"):
        head += f"  [{entry['request_id']}]"
    if entry.get("exception"):
        head += "\n    " + "\n    ".join(str(entry["exception"]).splitlines())
    return head


def _detail(answer: requests.Response) -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return f"status {answer.status_code}"
