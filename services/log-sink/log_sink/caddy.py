"""Classifies and translates Caddy's own log entries (its default JSON encoding)."""

from __future__ import annotations

import re
from typing import Any

from servicekit.log.entries import shorten
from servicekit.log.faults import REQUEST

SERVICE = "caddy"
# Errors of a client that disconnected. Only an answer to the client fails with `writing:`; other errors of reading,
# dialling or writing are between Caddy and a service.
_CLIENT_LEFT = re.compile(r"context canceled$|http2: stream closed|client disconnected|^writing: ")
# Names that are mapped to other parts of the entry, or are left out.
_PLACED = frozenset(
    ("level", "ts", "logger", "msg", "request", "request_id", "uuid", "error", "stacktrace", "status", "duration")
) | frozenset(("size", "err_trace", "bytes_read", "user_id", "resp_headers"))
_REQUEST_FIELDS = ("method", "host", "uri", "proto", "remote_ip", "client_ip")
_SHOWN_MAX = 2000
"""Characters that are shown of a text from a client: 32 KiB of it would cost too much work."""


def is_caddys(raw: dict[str, Any]) -> bool:
    """Return whether an entry is Caddy's: it has `msg` and no service."""
    return "msg" in raw and "service" not in raw


def is_access(raw: dict[str, Any]) -> bool:
    """Return whether the entry reports a handled request."""
    return isinstance(raw.get("status"), int) and str(raw.get("logger", "")).startswith("http.log")


def is_of_clients(raw: dict[str, Any]) -> bool:
    """Return whether a client caused the entry: a status below 500, or a client that left before the answer ended.

    Caddy logs every status from 400 on as an error, and a browser that closes its live tail as a warning.
    """
    if "status" in raw and is_access(raw) and raw["status"] < 500:
        return True
    error = raw.get("error")
    return isinstance(error, str) and _CLIENT_LEFT.search(error) is not None


def kind(raw: dict[str, Any]) -> str | None:
    """Return the kind of fault that an entry about a request is counted as; None for all others.

    A kind is a status, or a part of Caddy, and the service that the request was for.
    """
    if is_access(raw):
        return f"{REQUEST}.{raw['status']}.{_service_of(raw)}"
    name = str(raw.get("logger", ""))
    if not name.startswith("http.") or not isinstance(raw.get("request"), dict):
        return None
    return f"{REQUEST}.{name}.{_service_of(raw)}"


def _service_of(raw: dict[str, Any]) -> str:
    request = raw.get("request")
    path = str(request.get("uri", "")).split("?", 1)[0] if isinstance(request, dict) else ""
    if path == "/ingest" or path.startswith("/logs"):
        return "log-sink"
    return "data-processor" if path.startswith("/data-processor/") else "backend"


def translate(raw: dict[str, Any]) -> dict[str, Any]:
    """Return the entry in the recorder's format, without headers and bodies."""
    request = raw.get("request")
    request = request if isinstance(request, dict) else {}
    fields = {name: shorten(request[name], _SHOWN_MAX) for name in _REQUEST_FIELDS if name in request}
    fields |= {name: raw[name] for name in ("status", "duration", "size") if name in raw}
    fields |= {name: value for name, value in raw.items() if name not in _PLACED}
    if "err_trace" in raw:
        fields["err_trace"] = raw["err_trace"]
    return {
        "ts": raw.get("ts"),
        "logger": raw.get("logger"),
        "message": _message(raw, request),
        "request_id": raw.get("request_id") or _header(request, "X-Request-Id"),
        "exception": raw.get("stacktrace"),
        "fields": fields,
    }


def _message(raw: dict[str, Any], request: dict[str, Any]) -> str:
    text = str(raw.get("msg", ""))
    reason = raw.get("error") or ""
    if is_access(raw):
        # The access log's own text is always "handled request"; an error's text is its cause.
        if text == "handled request":
            text = ""
        place = shorten(str(request.get("uri", "")).split("?", 1)[0], _SHOWN_MAX)
        head = " ".join(str(part) for part in (raw["status"], request.get("method", ""), place) if part)
        return " — ".join(part for part in (head, text, str(reason)) if part)
    return f"{text} — {reason}" if reason else text


def _header(request: dict[str, Any], name: str) -> Any:
    headers = request.get("headers")
    if not isinstance(headers, dict):
        return None
    values = headers.get(name)
    return values[0] if isinstance(values, list) and values else values
