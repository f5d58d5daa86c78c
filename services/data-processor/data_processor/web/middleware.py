"""For every request: its id, the check that it came through Caddy, and the headers of every answer."""

from __future__ import annotations

from collections.abc import Callable

import orjson
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from servicekit import inside
from servicekit.context import accept_request_id, forwarded_for, request_id
from servicekit.facts import INTERNAL_HEADER, REQUEST_ID_HEADER
from servicekit.problems import CONTENT_TYPE

from data_processor import config
from data_processor.web import bodies
from data_processor.web.auth import caller

_REQUEST_ID, _INTERNAL = ("HTTP_" + name.upper().replace("-", "_") for name in (REQUEST_ID_HEADER, INTERNAL_HEADER))


class RequestMiddleware:
    """Sets the request id for log and answer, and refuses requests that did not come through Caddy."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response
        self._secret = config.current().internal_secret()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer a request."""
        current = accept_request_id(request.META.get(_REQUEST_ID))
        request_id.set(current)
        caller.set(None)
        forwarded_for.set(request.META.get("HTTP_X_FORWARDED_FOR"))
        shown = request.META.get(_INTERNAL)
        if self._secret.admits(request.path_info, None if shown is None else shown.encode("latin-1")):
            response = self._get_response(request)
            if response.status_code >= 400:
                bodies.read_rest(request)
        else:
            body = orjson.dumps(inside.refusal())
            response = HttpResponse(body, status=inside.REFUSED, content_type=CONTENT_TYPE)
        response.headers[REQUEST_ID_HEADER] = current
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Cache-Control"] = "no-store"
        if isinstance(response, HttpResponse) and response.status_code not in (204, 304):
            response.headers.setdefault("Content-Length", str(len(response.content)))
        return response
