"""The operator check that Caddy asks for when the backend is away. It works without the database."""

from __future__ import annotations

from typing import Annotated

from django.http import HttpRequest, HttpResponse
from servicekit.codes import Code
from servicekit.facts import OPERATOR_USERNAME

from data_processor.web.auth import identify, is_of_deployment
from data_processor.web.errors import ForbiddenError
from data_processor.web.inputs import Source
from data_processor.web.operations import operation


def _operator(request: HttpRequest) -> str:
    """Return the name of the operator who sent the request. Raises UnauthorizedError or ForbiddenError."""
    if is_of_deployment(request):
        return OPERATOR_USERNAME
    caller = identify(request)
    if not caller.is_operator:
        raise ForbiddenError(Code.NOT_AN_OPERATOR, "this is for operators only")
    return caller.username


Operator = Annotated[str, Source(_operator, (Code.UNAUTHENTICATED, Code.NOT_AN_OPERATOR), session=True)]
"""The name of the operator who sent the request."""


@operation(answers={200: {}})
def operator_check(operator: Operator) -> HttpResponse:
    """Say whether the session is an operator's, for the proxy to ask when the backend does not answer."""
    return HttpResponse(headers={"X-Operator": operator})
