"""Everything that a request can be refused with, by name, and how refusals are rendered."""

# Refusals are named for what they say, not for being errors.
# ruff: noqa: N818

from __future__ import annotations

import logging
from typing import Any, ClassVar

import orjson
import psycopg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from servicekit import inside
from servicekit.codes import Code
from servicekit.log.faults import request_fault
from servicekit.problems import CONTENT_TYPE, problem
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route

log = logging.getLogger(__name__)


class ApiError(HTTPException):
    """A refusal. Subclasses give the code for programs, from which the status follows, and a sentence for people."""

    code: ClassVar[Code]
    text: ClassVar[str]

    def __init__(self, detail: str | None = None, headers: dict[str, str] | None = None) -> None:
        super().__init__(self.code.status, detail or self.text, headers)


class Unauthenticated(ApiError):
    """No session, or one that proves nothing."""

    code, text = Code.UNAUTHENTICATED, "there is no session: log in first"

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail, {"WWW-Authenticate": "Bearer"})


class WrongCredentials(Unauthenticated):
    """Login with a wrong name or password."""

    code, text = Code.WRONG_CREDENTIALS, "user name or password is wrong"


class NotAMember(ApiError):
    """The channel is for members."""

    code, text = (
        Code.NOT_A_MEMBER,
        "you are not a member of this channel: join, or ask a member to add you",
    )


class NotTheCreator(ApiError):
    """Channels are deleted by those who created them."""

    code, text = Code.NOT_THE_CREATOR, "only the user who created a channel can delete it"


class WrongPassword(ApiError):
    """A password that has to be given again is wrong."""

    code, text = Code.WRONG_PASSWORD, "the password is wrong: nothing was changed"


class NotAnOperator(ApiError):
    """The place is for operators."""

    code, text = Code.NOT_AN_OPERATOR, "this is for operators only"


class RegistrationClosed(ApiError):
    """Registration is closed."""

    code, text = Code.REGISTRATION_CLOSED, "registration is closed on this stack: ask an operator"


class InviteNeeded(ApiError):
    """Registration without a good invite, where one is needed."""

    code, text = (
        Code.INVITE_NEEDED,
        'registration needs an invite that is unused and not expired: ask an operator, and send its code as "invite"',
    )


class NotYourSocket(ApiError):
    """A socket address of somebody else."""

    code, text = Code.NOT_YOUR_SOCKET, "the session belongs to another user than the socket's address names"


class ForeignOrigin(ApiError):
    """A browser page of another site wants a socket, or wants something done."""

    code, text = Code.FOREIGN_ORIGIN, "this page may not act for you here: its origin is not allowed"


class NoSuchChannel(ApiError):
    """There is no such channel."""

    code, text = Code.NO_SUCH_CHANNEL, "there is no such channel"


class NoSuchUser(ApiError):
    """There is no such user."""

    code, text = Code.NO_SUCH_USER, "there is no such user"


class NoSuchInvite(ApiError):
    """There is no such invite."""

    code, text = Code.NO_SUCH_INVITE, "there is no such invite"


class UsernameTaken(ApiError):
    """Registration with a name that somebody has."""

    code, text = Code.USERNAME_TAKEN, "this user name is taken: choose another"


class ChannelExists(ApiError):
    """A public channel of that name exists."""

    code, text = Code.CHANNEL_EXISTS, "a public channel of this name exists: join it, or choose another name"


class DirectChannel(ApiError):
    """Something that the two of a direct channel cannot do with it."""

    code, text = Code.DIRECT_CHANNEL, "a direct channel keeps its two members"


class LastOperator(ApiError):
    """The last operator cannot be deleted: the recorder would have no reader."""

    code, text = Code.LAST_OPERATOR, "you are the last operator: make another user an operator first"


class TooMuchAtOnce(ApiError):
    """A deletion that takes too much with it."""

    code, text = (
        Code.TOO_MUCH_AT_ONCE,
        "there is too much to delete at once, nothing was deleted: delete some of the documents first, then try again",
    )


class BodyTooLarge(ApiError):
    """More than a request body may have."""

    code, text = Code.BODY_TOO_LARGE, "the request body is too large"


class WrongMediaType(ApiError):
    """A body that does not say it is JSON."""

    code, text = Code.WRONG_MEDIA_TYPE, "send the body as application/json"


class DirectWithOneself(ApiError):
    """A direct channel needs two."""

    code, text = Code.DIRECT_WITH_ONESELF, "a direct channel needs another user than yourself"


class TooManyAttempts(ApiError):
    """Login hammered."""

    code, text = Code.TOO_MANY_ATTEMPTS, "too many failed logins: wait, then try again"

    def __init__(self, retry_after_s: int, whose: str) -> None:
        super().__init__(
            f"too many failed logins for {whose}: try again in {retry_after_s} s", {"Retry-After": str(retry_after_s)}
        )


class TooManyRegistrations(ApiError):
    """More registrations than one address may make."""

    code, text = Code.TOO_MANY_REGISTRATIONS, "too many registrations from your address: wait, then try again"

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(
            f"too many registrations from your address: try again in {retry_after_s} s",
            {"Retry-After": str(retry_after_s)},
        )


class Unavailable(ApiError):
    """Something that the request needs is away for now."""

    code, text = Code.UNAVAILABLE, "the service cannot answer now: try again shortly"

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail, {"Retry-After": "2"})


class DatabaseAway(Unavailable):
    """Postgres cannot be reached, or does not answer in time."""

    code, text = Code.DATABASE_AWAY, "the database cannot be reached: try again shortly"


class SchemaBehind(Unavailable):
    """The database lacks what this release needs."""

    code, text = Code.SCHEMA_BEHIND, "the database schema is not at this release's revision: run the migrations"


class Overloaded(Unavailable):
    """More work waits than can be done in time."""

    code, text = Code.OVERLOADED, "too many requests are waiting: try again shortly"


_STATUS_CODES = {
    404: Code.NO_SUCH_ADDRESS,
    405: Code.METHOD_NOT_ALLOWED,
}
_STATUS_TEXTS = {
    404: "there is nothing at this address",
    405: "this address does not take that method: see the Allow header",
}


def problem_response(
    code: Code, detail: str, headers: dict[str, str] | None = None, *, status: int | None = None, **extra: Any
) -> Response:
    """Return a problem document as a response."""
    body = problem(code, detail, status=status, **extra)
    return Response(orjson.dumps(body), body["status"], headers, media_type=CONTENT_TYPE)


def refusal_response(error: HTTPException) -> Response:
    """Return the response for any refusal, ours or the framework's."""
    headers = dict(error.headers or {})
    if isinstance(error, ApiError):
        return problem_response(error.code, error.detail, headers)
    status = error.status_code
    if status == 400:
        # The framework's word for a body that it could not even parse.
        return problem_response(Code.MALFORMED_BODY, "the request body cannot be parsed", headers, status=422)
    code = _STATUS_CODES.get(status, Code.REFUSED)
    return problem_response(code, _STATUS_TEXTS.get(status, error.detail), headers, status=status)


def front_door_only() -> Response:
    """Return the refusal of a request that did not come through Caddy."""
    return Response(orjson.dumps(inside.refusal()), inside.REFUSED, media_type=CONTENT_TYPE)


async def _refused(request: Request, error: HTTPException) -> Response:
    if error.status_code == 405:
        return problem_response(Code.METHOD_NOT_ALLOWED, _STATUS_TEXTS[405], {"Allow": ", ".join(_allowed(request))})
    return refusal_response(error)


def _allowed(request: Request) -> list[str]:
    """Return every method that the path takes; the framework names those of the first matching route alone."""
    routes = [route for route in request.app.routes if isinstance(route, Route)]
    path = next((route.path for route in routes if route.matches(request.scope)[0] is not Match.NONE), None)
    methods = {method for route in routes if route.path == path for method in route.methods or ()}
    # The outermost layer answers HEAD wherever there is GET.
    return sorted(methods | ({"HEAD"} if "GET" in methods else set()))


async def _invalid(request: Request, error: RequestValidationError) -> Response:
    found = error.errors()
    if any(item["type"] == "model_attributes_type" for item in found) and "json" not in (
        request.headers.get("content-type") or ""
    ):
        return refusal_response(WrongMediaType())
    # Never the input itself: it may hold a password, and need not be valid text.
    errors = [{"field": _field(item["loc"]), "message": item["msg"].removeprefix("Value error, ")} for item in found]
    detail = "; ".join(f"{item['field']}: {item['message']}" for item in errors)
    code = Code.INVALID_JSON if any(item["type"] == "json_invalid" for item in found) else Code.INVALID
    return problem_response(code, detail, status=422, errors=errors)


def invalid_field(name: str, message: str) -> RequestValidationError:
    """Return the refusal of one field of a body, for what can be said only after the body was read."""
    return RequestValidationError([{"type": "value_error", "loc": ("body", name), "msg": message}])


def _field(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location[1:]) or str(location[0])


async def _just_deleted(_request: Request, error: Exception) -> Response:
    # Rows are read and referred to in one statement: what is not there was deleted between the two.
    reference = (error.diag.constraint_name or "") if isinstance(error, psycopg.Error) else ""
    if "_channel_id_" in reference:
        return refusal_response(NoSuchChannel())
    if reference.startswith(("memberships_user_id_", "messages_target_user_id_")):
        return refusal_response(NoSuchUser())
    return refusal_response(Unauthenticated("this session's user no longer exists: log in again"))


async def _schema_behind(_request: Request, error: Exception) -> Response:
    request_fault(log, error, f"the schema is not what this release needs: {str(error).splitlines()[0]}")
    return refusal_response(SchemaBehind())


async def _unforeseen(_request: Request, _error: Exception) -> Response:
    detail = "something went wrong that was not foreseen: tell an operator this answer's request id"
    return problem_response(Code.INTERNAL_ERROR, detail)


def install(app: FastAPI) -> None:
    """Make `app` answer every refusal with a problem document."""
    handlers: dict[Any, Any] = {
        Exception: _unforeseen,
        HTTPException: _refused,
        RequestValidationError: _invalid,
        psycopg.errors.ForeignKeyViolation: _just_deleted,
        psycopg.errors.UndefinedTable: _schema_behind,
        psycopg.errors.UndefinedColumn: _schema_behind,
    }
    for error, handler in handlers.items():
        app.add_exception_handler(error, handler)
