"""Reads the recorder through the front door, with an operator's session."""

from __future__ import annotations

import json
import textwrap
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import requests
from servicekit import tokens
from servicekit.secrets import SecretError, read_secret

from plumbline import net
from plumbline.errors import PlumblineError
from plumbline.stack import Stack

_TIMEOUT_S = 30
_SILENCE_S = 15
"""Timeout of the live connection, which has a heartbeat every 5 s."""
_RETRY_S = 1.0
_SESSION_S = 600
_HINT = "./deploy-local.sh status; ./deploy-local.sh logs --component log-sink"


def operator_session(stack: Stack) -> requests.Session:
    """Return an HTTP session of the stack's operator. Raises PlumblineError."""
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
    token = answer.json()["access_token"] if answer.status_code == 200 else None
    if answer.status_code >= 500:
        token = _own_token(stack)
    if token is None:
        raise PlumblineError(f"the operator could not log in at {stack.base_url}: {_detail(answer)}")
    session.headers["Authorization"] = f"Bearer {token}"
    return session


def _own_token(stack: Stack) -> str | None:
    """Return a token signed here, for when the backend is away; None without the stack's key."""
    try:
        secret = read_secret(Path(stack.operator.password_file).with_name("token_secret"))
    except SecretError:
        return None
    return tokens.issue_for_deployment(secret, _SESSION_S)


def entries(stack: Stack, **filters: str | int | None) -> list[dict[str, Any]]:
    """Return the recorder's entries, oldest first. Filters: service, level, request_id, q, limit."""
    return kept(stack, **filters)[0]


def kept(stack: Stack, **filters: str | int | None) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the recorder's entries, oldest first, and the document of GET /logs/stats. Filters: see `entries`."""
    chosen = {name: value for name, value in filters.items() if value is not None}
    with operator_session(stack) as session:
        items = _read(session, f"{stack.base_url}/logs/entries", chosen)["items"]
        counts = _read(session, f"{stack.base_url}/logs/stats", {})
    return items[::-1], counts


def _read(session: requests.Session, url: str, chosen: dict[str, str | int]) -> dict[str, Any]:
    try:
        answer = session.get(url, params=chosen, timeout=_TIMEOUT_S)
    except requests.RequestException:
        raise PlumblineError(f"{url} does not answer", hint=_HINT) from None
    if answer.status_code != 200:
        raise PlumblineError(f"the recorder did not answer: {_detail(answer)}", hint=_HINT)
    body: dict[str, Any] = answer.json()
    return body


def follow(stack: Stack, **filters: str | None) -> Iterator[dict[str, Any] | str]:
    """Yield kept entries, oldest first, then new ones; strings are notes about the connection.

    Reconnects without gaps, for ever. Filters: service, level, request_id, q. Raises PlumblineError if the operator
    cannot log in at the beginning.
    """
    chosen = {name: value for name, value in filters.items() if value is not None}
    tail = _Tail(stack, chosen)
    while True:
        try:
            yield from tail.read()
        except PlumblineError as error:
            if not tail.down:
                tail.down = True
                yield f"connection lost ({error}); trying again"
        time.sleep(_RETRY_S)


class _Tail:
    """The live tail: its position and state."""

    def __init__(self, stack: Stack, chosen: dict[str, str]) -> None:
        self._stack = stack
        self._chosen = chosen
        self._session = operator_session(stack)
        self._last_id = "0"
        self._away = False
        self._since: str | None = None
        self._dropped = 0
        self.down = False

    def read(self) -> Iterator[dict[str, Any] | str]:
        """Yield like `follow`, until the connection ends. Raises PlumblineError if it cannot be opened."""
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
                # The session has expired. A new one resumes at the same entry.
                self._session.close()
                self._session = operator_session(self._stack)
                return
            if answer.status_code != 200:
                raise PlumblineError(f"the recorder did not answer: {_detail(answer)}")
            if self.down:
                self.down = False
                yield "reconnected"
            try:
                for name, identity, data in _events(answer):
                    yield from self._handle(name, identity, data)
            except requests.RequestException:
                return  # the next attempt reports it

    def _handle(self, name: str, identity: str, data: Any) -> Iterator[dict[str, Any] | str]:
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
            yield f"{data['missed']} entries were missed: they were superseded too fast"
        elif name == "reset" and data["since"] != self._since:
            self._since, self._dropped = data["since"], 0
            yield f"the recorder was emptied at {data['since']}"
        elif name == "stats" and data["dropped"] != self._dropped:
            self._dropped = data["dropped"]
            yield dropped(data)


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


def summary(counts: dict[str, Any]) -> str:
    """Format the recorder's counts."""
    text = f"{counts['kept']} kept of {counts['received']} received since {counts['since']}"
    if counts["superseded"]:
        text += f", {counts['superseded']} superseded"
    return f"{text}; {dropped(counts)}" if counts["dropped"] else text


def dropped(counts: dict[str, Any]) -> str:
    """Format how many entries were dropped, by service."""
    of = ", ".join(f"{name} {one['dropped']}" for name, one in counts["by_service"].items() if one["dropped"])
    return f"{counts['dropped']} dropped ({of})"


def _message(entry: dict[str, Any]) -> str:
    """Return an entry's message, with its number of faults."""
    number = entry.get("count", 1)
    return f"×{number} {entry['message']}" if number > 1 else str(entry["message"])


def line(entry: dict[str, Any], columns: int | None = None) -> str:
    """Format an entry; further lines are indented.

    With `columns`, a terminal's width, the time is short and local, the level coloured, and the message wrapped.
    """
    level = f"{entry['level'].upper():<8}"
    if columns is None:
        head, message = f"{entry['ts']} {level} {entry['service']:<15} ", _INDENT.join(_message(entry).split("\n"))
    else:
        head = f"{_format_time(entry['ts'])} {level} {entry['service']:<14} "
        message = _wrap(_message(entry), len(head), max(columns, len(head) + 20))
        head = head.replace(level, f"{_COLOURS.get(entry['level'], '')}{level}{_PLAIN}", 1)
    text = head + message
    if entry.get("request_id"):
        text += f"  [{entry['request_id']}]" if columns is None else f"{_INDENT}{_FAINT}[{entry['request_id']}]{_PLAIN}"
    if entry.get("exception"):
        text += _INDENT + _INDENT.join(str(entry["exception"]).splitlines())
    return text


_INDENT = "\n    "
_COLOURS = {"warning": "\x1b[33m", "error": "\x1b[31m", "critical": "\x1b[1;31m"}
_FAINT, _PLAIN = "\x1b[2m", "\x1b[0m"


def _wrap(message: str, used: int, columns: int) -> str:
    indent = _INDENT.strip("\n")
    # The first line starts after `used` columns.
    firsts = [" " * used, *[indent] * message.count("\n")]
    lines = [
        part
        for first, one in zip(firsts, message.split("\n"), strict=True)
        for part in textwrap.wrap(one, columns, initial_indent=first, subsequent_indent=indent) or [first]
    ]
    return "\n".join(lines)[used:]


def _format_time(ts: str) -> str:
    moment = datetime.fromisoformat(ts).astimezone()
    today = moment.date() == datetime.now().astimezone().date()
    return moment.strftime("%H:%M:%S" if today else "%b %d %H:%M:%S")


def _detail(answer: requests.Response) -> str:
    if answer.status_code == 502:
        return "the service behind it is away"  # Caddy's own text is for other users
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return f"status {answer.status_code}"
