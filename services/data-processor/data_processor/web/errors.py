"""Every refusal of the service, and the one place that turns an exception into an answer."""

from __future__ import annotations

import logging
from typing import Any

import orjson
import psycopg
from django.core.exceptions import SuspiciousOperation
from django.db import DatabaseError, DataError, IntegrityError, InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from servicekit.faults import client_fault, request_fault
from servicekit.problems import CONTENT_TYPE, problem

logger = logging.getLogger(__name__)

RETRY_AFTER_S = 2


class ProblemError(Exception):
    """A refusal that the client is told about: HTTP status, a code for programs and a sentence for people."""

    def __init__(self, status: int, code: str, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.extra = extra
        self.headers: dict[str, str] = {}


class UnauthorizedError(ProblemError):
    """Nobody, or nobody that this stack knows, is asking."""

    def __init__(self, detail: str) -> None:
        super().__init__(401, "unauthorized", detail)
        self.headers["WWW-Authenticate"] = 'Bearer realm="plumbline"'


class ForbiddenError(ProblemError):
    """The caller is known and may not do this."""

    def __init__(self, detail: str, code: str = "forbidden") -> None:
        super().__init__(403, code, detail)


class NotAMemberError(ForbiddenError):
    """The object is in a channel that the caller is not a member of."""

    def __init__(self, channel_id: int) -> None:
        super().__init__(f"you are not a member of channel {channel_id}: join it first", "not_a_member")


class NotFoundError(ProblemError):
    """There is no such thing."""

    def __init__(self, what: str, object_id: int) -> None:
        super().__init__(404, "not_found", f"there is no {what} {object_id}")


class ConflictError(ProblemError):
    """What is asked for collides with what is there."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(409, code, detail)


class TooLargeError(ProblemError):
    """The body is larger than this route takes."""

    def __init__(self, limit: int, what: str) -> None:
        super().__init__(413, "too_large", f"{what} is larger than {limit} bytes, the most that is taken", limit=limit)


class UnsupportedTypeError(ProblemError):
    """The body is of a kind that this route does not take."""

    def __init__(self, detail: str) -> None:
        super().__init__(415, "unsupported_media_type", detail)


class InvalidError(ProblemError):
    """The request was understood and cannot be carried out as it stands; `errors` names each field at fault."""

    def __init__(self, *errors: tuple[str, str], code: str = "invalid") -> None:
        detail = "; ".join(f"{field}: {message}" if field else message for field, message in errors)
        listed = [{"field": field, "message": message} for field, message in errors]
        super().__init__(422, code, detail, errors=listed)


class DatabaseAwayError(ProblemError):
    """Postgres does not answer at the moment."""

    def __init__(self) -> None:
        super().__init__(503, "database_away", "the database does not answer at the moment: try again shortly")
        self.headers["Retry-After"] = str(RETRY_AFTER_S)


class BusyError(ProblemError):
    """More of a kind of work is under way than there is room for."""

    def __init__(self, detail: str, retry_after_s: int = RETRY_AFTER_S) -> None:
        super().__init__(503, "busy", detail)
        self.headers["Retry-After"] = str(retry_after_s)


class TooManyAtOnceError(ProblemError):
    """The caller has as much under way as one caller may have."""

    def __init__(self, detail: str) -> None:
        super().__init__(429, "too_many_at_once", detail)
        self.headers["Retry-After"] = str(RETRY_AFTER_S)


class NotImplementedYetError(ProblemError):
    """A call of the contract that this release does not carry out."""

    def __init__(self, what: str) -> None:
        super().__init__(501, "not_implemented", f"this release cannot do that: {what}")


def answer(error: ProblemError) -> HttpResponse:
    """Return the problem document of a refusal."""
    body = orjson.dumps(problem(error.status, error.code, error.detail, **error.extra))
    return HttpResponse(body, status=error.status, content_type=CONTENT_TYPE, headers=error.headers)


def from_exception(error: Exception) -> ProblemError:
    """Return the refusal for any exception. What is no refusal is logged with its trace and becomes a plain 500."""
    if isinstance(error, ProblemError):
        return error
    if isinstance(error, OperationalError | InterfaceError | psycopg.OperationalError):
        # Logged where it was noticed, once for an outage.
        return DatabaseAwayError()
    if isinstance(error, DataError):
        # Values are checked before they reach SQL; this is the net below for those that only Postgres refuses.
        client_fault(logger, "database_value", "the database refused a value", exc_info=error)
        return InvalidError(("", "a value is out of range"))
    if isinstance(error.__cause__, psycopg.errors.ForeignKeyViolation):
        # Rows are found and referred to in one statement: one was deleted between the two.
        return ProblemError(404, "not_found", "something that this refers to has just been deleted")
    if isinstance(error, SuspiciousOperation):
        return ProblemError(400, "bad_request", "the request is malformed")
    if isinstance(error, DatabaseError) and not isinstance(error, IntegrityError):
        request_fault(logger, error, "a statement failed")
    else:
        request_fault(logger, error, "unhandled exception")
    return ProblemError(
        500,
        "internal_error",
        "the service failed at this request: the operator's log has the details under its request id",
    )


def not_found(_request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Django's handler404: no route matches."""
    del exception
    return answer(ProblemError(404, "not_found", "there is no such address"))


def bad_request(_request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Django's handler400: the request was refused before it reached a view."""
    return answer(from_exception(exception or SuspiciousOperation()))


def server_error(_request: HttpRequest) -> HttpResponse:
    """Django's handler500: something failed outside a view; Django has logged it."""
    return answer(ProblemError(500, "internal_error", "the service failed at this request"))
