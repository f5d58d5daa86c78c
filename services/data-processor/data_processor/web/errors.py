"""The refusals of the service, and the function that turns an exception into a response."""

from __future__ import annotations

import logging
from typing import Any

import orjson
import psycopg
from django.core.exceptions import SuspiciousOperation
from django.db import DatabaseError, DataError, IntegrityError, InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from servicekit.codes import Code
from servicekit.log.faults import client_fault, request_fault
from servicekit.problems import CONTENT_TYPE, problem

logger = logging.getLogger(__name__)

RETRY_AFTER_S = 2
_DELETED = {
    "users": Code.UNAUTHENTICATED,
    "channels": Code.NO_SUCH_CHANNEL,
    "documents": Code.NO_SUCH_DOCUMENT,
    "templates": Code.NO_SUCH_TEMPLATE,
    "template_labels": Code.NO_SUCH_TEMPLATE,
    "batch_jobs": Code.NO_SUCH_BATCH_JOB,
}
"""The refusal when a row of this table was deleted while a statement referred to it. Users are always the caller."""


class ProblemError(Exception):
    """A refusal that is sent to the client: a code for programs and a sentence for people."""

    def __init__(self, code: Code, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.extra = extra
        self.headers: dict[str, str] = {}


class UnauthorizedError(ProblemError):
    """There is no session, or this stack does not accept it."""

    def __init__(self, detail: str) -> None:
        super().__init__(Code.UNAUTHENTICATED, detail)
        self.headers["WWW-Authenticate"] = 'Bearer realm="plumbline"'


class ForbiddenError(ProblemError):
    """The caller has a session but lacks the right."""

    def __init__(self, code: Code, detail: str) -> None:
        super().__init__(code, detail)


class NotAMemberError(ForbiddenError):
    """The object is in a channel that the caller is not a member of."""

    def __init__(self, channel_id: int) -> None:
        super().__init__(Code.NOT_A_MEMBER, f"you are not a member of channel {channel_id}: join it first")


class NotFoundError(ProblemError):
    """There is no such object; `code` begins with `no_such_`."""

    def __init__(self, code: Code, object_id: int) -> None:
        what = code.removeprefix("no_such_").replace("_", " ")
        super().__init__(code, f"there is no {what} {object_id}")


class ConflictError(ProblemError):
    """The request conflicts with existing data."""

    def __init__(self, code: Code, detail: str) -> None:
        super().__init__(code, detail)


class TooLargeError(ProblemError):
    """The body is larger than this route accepts."""

    def __init__(self, limit: int, what: str) -> None:
        super().__init__(
            Code.BODY_TOO_LARGE, f"{what} is larger than {limit} bytes, the most that is taken", limit=limit
        )


class UnsupportedTypeError(ProblemError):
    """The body has a type that this route does not accept."""

    def __init__(self, detail: str) -> None:
        super().__init__(Code.WRONG_MEDIA_TYPE, detail)


class InvalidError(ProblemError):
    """A value in the request is wrong; `errors` names each wrong field."""

    def __init__(self, *errors: tuple[str, str], code: Code = Code.INVALID) -> None:
        detail = "; ".join(f"{field}: {message}" if field else message for field, message in errors)
        listed = [{"field": field, "message": message} for field, message in errors]
        super().__init__(code, detail, errors=listed)


class DatabaseAwayError(ProblemError):
    """Postgres does not answer."""

    def __init__(self) -> None:
        super().__init__(Code.DATABASE_AWAY, "the database does not answer at the moment: try again shortly")
        self.headers["Retry-After"] = str(RETRY_AFTER_S)


class BusyError(ProblemError):
    """The process has no capacity left for this kind of work."""

    def __init__(self, detail: str, retry_after_s: int = RETRY_AFTER_S) -> None:
        super().__init__(Code.OVERLOADED, detail)
        self.headers["Retry-After"] = str(retry_after_s)


class TooManyAtOnceError(ProblemError):
    """The caller has reached the limit of concurrent requests."""

    def __init__(self, detail: str) -> None:
        super().__init__(Code.TOO_MANY_AT_ONCE, detail)
        self.headers["Retry-After"] = str(RETRY_AFTER_S)


def answer(error: ProblemError) -> HttpResponse:
    """Return the problem document of a refusal."""
    body = problem(error.code, error.detail, **error.extra)
    return HttpResponse(orjson.dumps(body), status=body["status"], content_type=CONTENT_TYPE, headers=error.headers)


def from_exception(error: Exception) -> ProblemError:
    """Return the refusal for any exception. An unexpected one is logged with its trace and becomes a plain 500."""
    if isinstance(error, ProblemError):
        return error
    if isinstance(error, OperationalError | InterfaceError | psycopg.OperationalError):
        # The outage is logged once, where it is noticed.
        return DatabaseAwayError()
    if isinstance(error, DataError):
        # Values are checked before they reach SQL. This catches those that only Postgres refuses.
        client_fault(logger, "database_value", "the database refused a value", exc_info=error)
        return InvalidError(("", "a value is out of range"))
    if isinstance(error.__cause__, psycopg.errors.ForeignKeyViolation):
        deleted = just_deleted(error.__cause__.diag.constraint_name or "")
        if deleted is not None:
            return deleted
    if isinstance(error, SuspiciousOperation):
        return ProblemError(Code.MALFORMED_REQUEST, "the request is malformed")
    if isinstance(error, DatabaseError) and not isinstance(error, IntegrityError):
        request_fault(logger, error, "a statement failed")
    else:
        request_fault(logger, error, "unhandled exception")
    return ProblemError(
        Code.INTERNAL_ERROR,
        "the service failed at this request: the operator's log has the details under its request id",
    )


def just_deleted(constraint: str) -> ProblemError | None:
    """Return the refusal when a foreign key of this name is violated: what the statement refers to has been deleted.

    Django names them after the table they refer to. None for all other foreign keys: no request should violate them.
    """
    code = _DELETED.get(constraint.rpartition("_fk_")[2].removesuffix("_id"))
    if code is Code.UNAUTHENTICATED:
        return UnauthorizedError("this session's user no longer exists: log in again")
    return None if code is None else ProblemError(code, "something that this refers to has just been deleted")


def not_found(_request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Django's handler404: no route matches."""
    del exception
    return answer(ProblemError(Code.NO_SUCH_ADDRESS, "there is no such address"))


def bad_request(_request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Django's handler400: the request was refused before it reached a view."""
    return answer(from_exception(exception or SuspiciousOperation()))


def server_error(_request: HttpRequest) -> HttpResponse:
    """Django's handler500: something failed outside a view; Django has logged it."""
    return answer(ProblemError(Code.INTERNAL_ERROR, "the service failed at this request"))
