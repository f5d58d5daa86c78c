"""Whether a session is an operator's: the proxy asks here when the backend is away. It works without the database."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from servicekit.codes import Code

from data_processor.web.auth import identify
from data_processor.web.errors import ForbiddenError


def operator_check(request: HttpRequest) -> HttpResponse:
    """Say whether the session is an operator's, for the proxy to ask when the backend does not answer."""
    identity = identify(request)
    if not identity.is_operator:
        raise ForbiddenError(Code.NOT_AN_OPERATOR, "this is for operators only")
    return HttpResponse(headers={"X-Operator": identity.username})
