"""One URL, several methods: `methods(GET=document_list, POST=document_create)`."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import register_converter
from servicekit.codes import Code

from data_processor.web import errors
from data_processor.web.auth import refuse_forgery

View = Callable[..., HttpResponseBase]

_SAFE = frozenset({"GET", "HEAD"})


class IdConverter:
    """An id in a path: a positive bigint. Anything else matches no route, so it is answered 404."""

    regex = "[0-9]{1,19}"

    def to_python(self, value: str) -> int:
        """Return the id; raises ValueError if Postgres could not hold it."""
        number = int(value)
        if not 0 < number < 2**63:
            raise ValueError
        return number

    def to_url(self, value: int) -> str:
        """Return the id as it stands in a path."""
        return str(value)


register_converter(IdConverter, "id")


def methods(**views: View) -> View:
    """Return a view that hands each request to the view of its method and answers whatever that raises."""
    if "GET" in views:
        views.setdefault("HEAD", views["GET"])
    allowed = ", ".join(sorted(views))

    def dispatch(request: HttpRequest, **captured: int) -> HttpResponseBase:
        try:
            view = views.get(request.method or "")
            if view is None:
                refusal = errors.ProblemError(Code.METHOD_NOT_ALLOWED, f"this address takes {allowed}")
                refusal.headers["Allow"] = allowed
                raise refusal
            if request.method not in _SAFE:
                refuse_forgery(request)
            return view(request, **captured)
        except Exception as error:
            return errors.answer(errors.from_exception(error))

    return dispatch
