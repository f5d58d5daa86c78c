"""Says what an exception of a library means: which component, what was expected of it, and what it did."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

import psycopg
import redis
import requests
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from plumbline.components import BACKEND, CADDY, DATA_PROCESSOR, LOG_SINK, POSTGRES, REDIS

_PATHS = {
    "/data-processor": DATA_PROCESSOR, "/logs": LOG_SINK, "/auth": BACKEND, "/channels": BACKEND, "/users": BACKEND,
    "/ws": BACKEND, "/health": BACKEND,
}  # fmt: skip
_SHOWN = 600
_Object = TypeVar("_Object")


@dataclass(frozen=True, slots=True)
class Cause:
    """What an exception means. `component` is empty if it could be any."""

    component: str
    expected: str
    found: str


def component_of(path: str) -> str:
    """Return the component that answers a path of the front door; Caddy, if no service does."""
    return next((one.name for prefix, one in _PATHS.items() if path.startswith(prefix)), CADDY.name)


def explain(error: BaseException) -> Cause | None:
    """Return what an exception means; None for one that says so itself, such as a failed assertion."""
    match error:
        case requests.RequestException():
            return _http(error)
        case ConnectionClosed():
            said = f"{error.rcvd.code} {error.rcvd.reason}".strip() if error.rcvd else "no closing frame"
            return Cause(BACKEND.name, "a socket that stays open", f"the socket was closed: {said}")
        case InvalidStatus():
            return Cause(BACKEND.name, "a socket that opens", f"it was refused with {error.response.status_code}")
        case InvalidHandshake():
            return Cause(BACKEND.name, "a socket that opens", f"no handshake: {error}")
        case psycopg.OperationalError():
            return Cause(POSTGRES.name, "a connection that answers", _line(error))
        case psycopg.Error():
            return Cause(POSTGRES.name, "a statement that can be executed", _line(error))
        case redis.AuthenticationError() | redis.ConnectionError() | redis.TimeoutError():
            return Cause(REDIS.name, "a Redis that answers", _line(error))
        case subprocess.TimeoutExpired():
            said = _text(error.stderr or error.output)
            return Cause("", f"{_command(error.cmd)} to end within {error.timeout:g} s", f"it was still running{said}")
        case subprocess.CalledProcessError():
            said = _text(error.stderr or error.output)
            return Cause("", f"{_command(error.cmd)} to end with 0", f"it ended with {error.returncode}{said}")
    if "handshake" in str(error) and isinstance(error, TimeoutError):
        return Cause(BACKEND.name, "a socket that opens", _line(error))
    return None


def _http(error: requests.RequestException) -> Cause:
    # An answer with an error's status is falsy.
    answer = error.response if error.response is not None else _in_frames(error, requests.Response)
    request = error.request or (answer.request if answer is not None else None)
    request = request or _in_frames(error, requests.PreparedRequest)
    if request is None or request.url is None:
        return Cause("", "an answer", _line(error))
    parts = urlsplit(request.url)
    call = f"{request.method} {parts.path}"
    component = component_of(parts.path)
    if answer is not None:
        return Cause(component, f"{call}: an answer that is as long as it says", _broken_off(answer, error))
    match error:
        case requests.exceptions.SSLError():
            return Cause(CADDY.name, f"{call}: a certificate that clients trust", _line(error))
        case requests.ConnectTimeout():
            return Cause(CADDY.name, f"{call}: a front door that takes connections", f"{parts.netloc} does not answer")
        case requests.Timeout():
            return Cause(component, f"{call}: an answer in time", "not one line of it")
    if "refused" in str(error):
        return Cause(CADDY.name, f"{call}: a front door that takes connections", f"{parts.netloc} refuses them")
    return Cause(component, f"{call}: an answer", "the connection was closed without one")


def _broken_off(answer: requests.Response, error: Exception) -> str:
    declared = answer.headers.get("Content-Length")
    length = f"Content-Length {declared}" if declared else "no Content-Length"
    if "IncompleteRead" in str(error):
        return f"status {answer.status_code}, {length}, but the connection was closed after {answer.raw.tell()} bytes"
    return f"status {answer.status_code}, {length}, but the body did not come to its end in time: less was sent"


def _in_frames(error: BaseException, kind: type[_Object]) -> _Object | None:
    """Return the innermost object of a kind that the exception has passed: libraries keep the answer out of it."""
    return next(iter([one for one in _locals(error) if isinstance(one, kind)][::-1]), None)


def _locals(error: BaseException) -> Iterator[Any]:
    trace = error.__traceback__
    while trace is not None:
        yield from trace.tb_frame.f_locals.values()
        trace = trace.tb_next


def _line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:_SHOWN]


def _text(said: bytes | str | None) -> str:
    text = said.decode(errors="replace") if isinstance(said, bytes) else said or ""
    return f"; it said: {text.strip()[-_SHOWN:]}" if text.strip() else ""


def _command(command: Any) -> str:
    return command if isinstance(command, str) else " ".join(str(one) for one in command)
