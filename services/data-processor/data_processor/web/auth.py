"""Authentication by the backend's token. Authorisation is in the statements, which join `memberships`."""

from __future__ import annotations

import logging
from contextvars import ContextVar
from functools import cache
from typing import Annotated

from django.http import HttpRequest
from servicekit import tokens
from servicekit.codes import Code
from servicekit.facts import SESSION_COOKIE
from servicekit.log.faults import client_fault
from servicekit.origins import is_foreign
from servicekit.signing import SigningKeys
from servicekit.tokens import Identity, TokenError

from data_processor import config
from data_processor.web import accounts
from data_processor.web.errors import ForbiddenError, UnauthorizedError
from data_processor.web.inputs import Source

logger = logging.getLogger(__name__)

caller: ContextVar[int | None] = ContextVar("caller", default=None)
"""Id of the user who sent the request, set by `identify`."""


def identify(request: HttpRequest) -> Identity:
    """Return the user who sent the request, if the user exists. Raises UnauthorizedError; logs a forged token."""
    token = _token_of(request)
    if token is None:
        raise UnauthorizedError("log in first: this needs a session cookie or a bearer token")
    try:
        verified = _keys().verify(token)
    except TokenError as error:
        if error.suspicious:
            message = "refused a session token"
            client_fault(logger, "bad_token", message, reason=str(error), method=request.method, path=request.path)
        raise UnauthorizedError(str(error)) from None
    identity = accounts.confirm(verified)
    caller.set(identity.user_id)
    return identity


Caller = Annotated[Identity, Source(identify, (Code.UNAUTHENTICATED,), session=True)]
"""The user who sent the request."""


def is_of_deployment(request: HttpRequest) -> bool:
    """Return whether the deployment itself sent the request, with a token that it signed."""
    token = _token_of(request)
    return token is not None and _keys().is_of_deployment(token)


def _token_of(request: HttpRequest) -> str | None:
    header = request.META.get("HTTP_AUTHORIZATION")
    return tokens.token_from(header, None if header else request.COOKIES.get(SESSION_COOKIE))


@cache
def _keys() -> SigningKeys:
    return config.current().signing_keys()


def refuse_forgery(request: HttpRequest) -> None:
    """Raise ForbiddenError if a browser sends the session cookie for a page of a foreign origin.

    Browsers attach the cookie by themselves and name the page in `Origin` (or at least its relation to us in
    `Sec-Fetch-Site`); programs send neither. A bearer token is never attached by a browser.
    """
    if "HTTP_AUTHORIZATION" in request.META or SESSION_COOKIE not in request.COOKIES:
        return
    meta, allowed = request.META, config.current().allowed_origins
    origin = meta.get("HTTP_ORIGIN")
    if not is_foreign(origin, meta.get("HTTP_SEC_FETCH_SITE"), meta.get("HTTP_HOST"), allowed):
        return
    message = "refused a cross-site request"
    client_fault(logger, "foreign_origin", message, origin=origin, method=request.method, path=request.path)
    raise ForbiddenError(Code.FOREIGN_ORIGIN, "this page may not send requests for you: its origin is not allowed")
