"""The calls of the service. The signature of a function declares a call: requests and OpenAPI both follow it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import orjson
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from servicekit.codes import Code

from data_processor.web import bodies
from data_processor.web.inputs import Source

JSON = "application/json"
Answers = Mapping[int, Mapping[str, Any]]
"""Statuses, and for each the type of the body (None for bytes) by media type."""


class Operation:
    """A function that serves a call, and what it declares.

    Its parameters are read from the request, in their order: those annotated with a `Source`, and bodies. What remains
    is captured from the path. A mapping that it returns becomes a JSON body, and None an answer without one.
    """

    def __init__(
        self, function: Callable[..., Any], status: int, refuses: tuple[Code, ...], answers: Answers | None
    ) -> None:
        hints = get_type_hints(function, include_extras=True)
        answered = hints.pop("return")
        self.function = function
        self.status = 204 if answered is type(None) else status
        self.sources = {name: source for name, hint in hints.items() if (source := _source(hint))}
        self.refuses = refuses + tuple(code for source in self.sources.values() for code in source.refusals)
        by_type: Answers = {self.status: {} if self.status == 204 else {JSON: answered}}
        self.answers = by_type if answers is None else answers

    def __call__(self, request: HttpRequest, **captured: int) -> HttpResponseBase:
        """Serve a request."""
        given = {name: source.read(request) for name, source in self.sources.items()}
        answer = self.function(**captured, **given)
        if isinstance(answer, HttpResponseBase):
            return answer
        return HttpResponse(status=204) if answer is None else json_response(answer, self.status)


def operation(
    *, status: int = 200, refuses: tuple[Code, ...] = (), answers: Answers | None = None
) -> Callable[[Callable[..., Any]], Operation]:
    """Make an Operation of a function.

    `refuses` are the codes beside those of its parameters. `answers` describes what is no JSON of the returned type.
    """
    return lambda function: Operation(function, status, refuses, answers)


def json_response(data: Any, status: int = 200) -> HttpResponse:
    """Return `data` as a JSON answer; moments are written as ISO 8601."""
    return HttpResponse(orjson.dumps(data), status=status, content_type=JSON)


def _source(hint: Any) -> Source | None:
    if hint is HttpRequest:
        return Source(lambda request: request)
    if get_origin(hint) is Annotated:
        return next((extra for extra in get_args(hint) if isinstance(extra, Source)), None)
    if isinstance(hint, type) and issubclass(hint, bodies.Body):
        return bodies.source(hint)
    return None
