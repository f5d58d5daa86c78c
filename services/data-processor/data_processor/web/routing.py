"""One URL, several methods: `Methods(GET=document_list, POST=document_create)`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, URLResolver, register_converter
from servicekit.codes import Code

from data_processor.web import errors
from data_processor.web.auth import refuse_forgery
from data_processor.web.inputs import ID_MAX
from data_processor.web.operations import Operation

SAFE = frozenset({"GET", "HEAD"})
"""Methods that change nothing."""
_CONVERTED = re.compile(r"<(?:\w+:)?(\w+)>")


class IdConverter:
    """An id in a path: a positive bigint. Anything else matches no route, so it is answered 404."""

    regex = "[0-9]{1,19}"

    def to_python(self, value: str) -> int:
        """Return the id; raises ValueError if Postgres could not hold it."""
        number = int(value)
        if not 1 <= number <= ID_MAX:
            raise ValueError
        return number

    def to_url(self, value: int) -> str:
        """Return the id as it stands in a path."""
        return str(value)

    @staticmethod
    def parameter(name: str) -> dict[str, Any]:
        """Return OpenAPI's description of an id in a path."""
        schema = {"type": "integer", "minimum": 1, "maximum": ID_MAX}
        return {"name": name, "in": "path", "required": True, "schema": schema}


register_converter(IdConverter, "id")


class Methods:
    """A view that hands each request to the operation of its method, and answers whatever that raises."""

    def __init__(self, **operations: Operation) -> None:
        self.operations = operations
        self._by_method = operations | ({"HEAD": operations["GET"]} if "GET" in operations else {})
        self._allowed = ", ".join(sorted(self._by_method))

    def __call__(self, request: HttpRequest, **captured: int) -> HttpResponseBase:
        """Answer a request."""
        try:
            operation = self._by_method.get(request.method or "")
            if operation is None:
                refusal = errors.ProblemError(Code.METHOD_NOT_ALLOWED, f"this address takes {self._allowed}")
                refusal.headers["Allow"] = self._allowed
                raise refusal
            if request.method not in SAFE:
                refuse_forgery(request)
            return operation(request, **captured)
        except Exception as error:
            return errors.answer(errors.from_exception(error))


def routes(patterns: Iterable[URLPattern | URLResolver], prefix: str = "/") -> Iterator[tuple[str, Methods]]:
    """Yield each address of an urlconf, as OpenAPI writes it, and what serves it."""
    for pattern in patterns:
        path = prefix + _CONVERTED.sub(r"{\1}", str(pattern.pattern))
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, path)
        elif isinstance(pattern.callback, Methods):
            yield path, pattern.callback
