"""What surrounds every request: its id, and headers that hold for every answer."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from servicekit.context import accept_request_id, forwarded_for, request_id
from servicekit.facts import REQUEST_ID_HEADER

_META_KEY = "HTTP_" + REQUEST_ID_HEADER.upper().replace("-", "_")


class RequestMiddleware:
    """Gives the request its id, for the log and for the answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer a request."""
        current = accept_request_id(request.META.get(_META_KEY))
        request_id.set(current)
        forwarded_for.set(request.META.get("HTTP_X_FORWARDED_FOR"))
        response = self._get_response(request)
        response.headers[REQUEST_ID_HEADER] = current
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Cache-Control"] = "no-store"
        if not response.streaming and response.status_code not in (204, 304):
            response.headers.setdefault("Content-Length", str(len(response.content)))
        return response
