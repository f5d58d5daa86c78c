"""The operator check that Caddy asks for when the backend is away. It works without the database."""

from __future__ import annotations

from django.http import HttpResponse
from servicekit.codes import Code

from data_processor.web.auth import Caller
from data_processor.web.errors import ForbiddenError
from data_processor.web.operations import operation


@operation(refuses=(Code.NOT_AN_OPERATOR,), answers={200: {}})
def operator_check(caller: Caller) -> HttpResponse:
    """Say whether the session is an operator's, for the proxy to ask when the backend does not answer."""
    if not caller.is_operator:
        raise ForbiddenError(Code.NOT_AN_OPERATOR, "this is for operators only")
    return HttpResponse(headers={"X-Operator": caller.username})
