"""Every refusal of the backend, and its rendering as a problem document."""

# Refusals are named without the suffix "Error".
# ruff: noqa: N818

from __future__ import annotations

import logging
from typing import Any, ClassVar

import orjson
import psycopg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from servicekit import inside, repeats
from servicekit.codes import Code
from servicekit.log.faults import request_fault
from servicekit.problems import CONTENT_TYPE, problem
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route

log = logging.getLogger(__name__)


class ApiError(HTTPException):
    """A refusal. Subclasses set `code`, which determines the status, and `text`, the message for people."""

    code: ClassVar[Code]
    text: ClassVar[str]

    def __init__(self, detail: str | None = None, headers: dict[str, str] | None = None) -> None:
        super().__init__(self.code.status, detail or self.text, headers)


class Unauthenticated(ApiError):
    """No session, or an invalid one."""

    code, text = Code.UNAUTHENTICATED, "there is no session: log in first"

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail, {"WWW-Authenticate": "Bearer"})


class UserDeleted(Unauthenticated):
    """The session's user does not exist any more."""

    text = "this session's user no longer exists: log in again"


class WrongCredentials(Unauthenticated):
    """Login with a wrong name or password."""

    code, text = Code.WRONG_CREDENTIALS, "user name or password is wrong"


class AccountDisabled(ApiError):
    """Login of a disabled user."""

    code, text = Code.ACCOUNT_DISABLED, "this account is disabled: ask an operator"


class PasswordInFile(ApiError):
    """The first operator's password is a secret file of the deployment, and cannot be changed by a call."""

    code, text = (
        Code.PASSWORD_IN_FILE,
        "the secret file operator_password of the deployment sets how this user logs in: replace it there",
    )


class NotAMember(ApiError):
    """Only members may do this with the channel."""

    code, text = (
        Code.NOT_A_MEMBER,
        "you are not a member of this channel: join, or ask a member to add you",
    )


class NotTheCreator(ApiError):
    """Only its creator may change or delete a channel, or remove its members."""

    code, text = (
        Code.NOT_THE_CREATOR,
        "only the user who created a channel can rename or delete it, and remove its members",
    )


class WrongPassword(ApiError):
    """The password that confirms an action is wrong."""

    code, text = Code.WRONG_PASSWORD, "the password is wrong: nothing was changed"


class NotAnOperator(ApiError):
    """Only operators may do this."""

    code, text = Code.NOT_AN_OPERATOR, "this is for operators only"


class RegistrationClosed(ApiError):
    """Registration is closed."""

    code, text = Code.REGISTRATION_CLOSED, "registration is closed on this stack: ask an operator"


class InviteNeeded(ApiError):
    """Registration without a valid invite, where one is required."""

    code, text = (
        Code.INVITE_NEEDED,
        'registration needs an invite that is unused and not expired: ask an operator, and send its code as "invite"',
    )


class NotYourSocket(ApiError):
    """The socket address of another user."""

    code, text = Code.NOT_YOUR_SOCKET, "the session belongs to another user than the socket's address names"


class InvalidSince(ApiError):
    """A socket's `since` that is no id."""

    code, text = Code.INVALID, "since must be the event_id of a frame, or 0"


class ForeignOrigin(ApiError):
    """A cross-site request of a browser."""

    code, text = Code.FOREIGN_ORIGIN, "this page's origin is not allowed to make this request"


class NoSuchChannel(ApiError):
    """There is no such channel."""

    code, text = Code.NO_SUCH_CHANNEL, "there is no such channel"


class NoSuchMember(ApiError):
    """The user is not a member of the channel."""

    code, text = Code.NO_SUCH_MEMBER, "this user is not a member of the channel"


class NoSuchUser(ApiError):
    """There is no such user."""

    code, text = Code.NO_SUCH_USER, "there is no such user"


class NoSuchInvite(ApiError):
    """There is no such invite."""

    code, text = Code.NO_SUCH_INVITE, "there is no such invite"


class UsernameTaken(ApiError):
    """Registration with a name that is taken."""

    code, text = Code.USERNAME_TAKEN, "this user name is taken: choose another"


class ChannelExists(ApiError):
    """A public channel of that name exists."""

    code, text = Code.CHANNEL_EXISTS, "a public channel of this name exists: join it, or choose another name"


class DirectChannel(ApiError):
    """The members of a direct channel cannot change."""

    code, text = Code.DIRECT_CHANNEL, "a direct channel keeps its two members"


class KeyReused(ApiError):
    """An `Idempotency-Key` that was sent with another request."""

    code, text = Code.KEY_REUSED, repeats.REUSED


class KeyInUse(ApiError):
    """An `Idempotency-Key` of a request that is still in work."""

    code, text = Code.KEY_IN_USE, repeats.IN_USE

    def __init__(self) -> None:
        super().__init__(None, {"Retry-After": str(repeats.RETRY_AFTER_S)})


class LastOperator(ApiError):
    """The last operator cannot be deleted: only operators can read the recorder."""

    code, text = Code.LAST_OPERATOR, "you are the last operator: make another user an operator first"


class TooMuchAtOnce(ApiError):
    """A deletion that would cascade to too many rows."""

    code, text = (
        Code.TOO_MUCH_AT_ONCE,
        "there is too much to delete at once, nothing was deleted: delete some of the documents first, then try again",
    )


class BodyTooLarge(ApiError):
    """The request body exceeds the limit."""

    code, text = Code.BODY_TOO_LARGE, "the request body is too large"


class WrongMediaType(ApiError):
    """The Content-Type is not JSON."""

    code, text = Code.WRONG_MEDIA_TYPE, "send the body as application/json"


class DirectWithOneself(ApiError):
    """A direct channel with oneself."""

    code, text = Code.DIRECT_WITH_ONESELF, "a direct channel needs another user than yourself"


class TooManyAttempts(ApiError):
    """Too many failed logins."""

    code, text = Code.TOO_MANY_ATTEMPTS, "too many failed logins: wait, then try again"

    def __init__(self, retry_after_s: int, whose: str) -> None:
        super().__init__(
            f"too many failed logins for {whose}: try again in {retry_after_s} s", {"Retry-After": str(retry_after_s)}
        )


class TooManyRegistrations(ApiError):
    """Too many registrations from one address."""

    code, text = Code.TOO_MANY_REGISTRATIONS, "too many registrations from your address: wait, then try again"

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(
            f"too many registrations from your address: try again in {retry_after_s} s",
            {"Retry-After": str(retry_after_s)},
        )


class Unavailable(ApiError):
    """Something that the request needs is temporarily unavailable."""

    code, text = Code.UNAVAILABLE, "the service cannot answer now: try again shortly"

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail, {"Retry-After": "2"})


class DatabaseAway(Unavailable):
    """Postgres cannot be reached, or does not answer in time."""

    code, text = Code.DATABASE_AWAY, "the database cannot be reached: try again shortly"


class SchemaBehind(Unavailable):
    """The database schema is older than this release needs."""

    code, text = Code.SCHEMA_BEHIND, "the database schema is not at this release's revision: run the migrations"


class Overloaded(Unavailable):
    """Too much work is waiting to finish in time."""

    code, text = Code.OVERLOADED, "too many requests are waiting: try again shortly"


_DELETED: dict[str, type[ApiError]] = {
    "channels_created_by_fkey": UserDeleted,
    "invites_created_by_fkey": UserDeleted,
    "idempotency_keys_user_id_fkey": UserDeleted,
    "sessions_user_id_fkey": UserDeleted,
    "messages_sender_id_fkey": UserDeleted,
    "memberships_channel_id_fkey": NoSuchChannel,
    "messages_channel_id_fkey": NoSuchChannel,
    "memberships_user_id_fkey": NoSuchUser,
    "messages_target_user_id_fkey": NoSuchUser,
}
"""The refusal when a row was deleted while a statement referred to it, by the name of the foreign key."""
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
        # Starlette could not parse the body.
        return problem_response(Code.MALFORMED_BODY, "the request body cannot be parsed", headers, status=422)
    code = _STATUS_CODES.get(status, Code.REFUSED)
    return problem_response(code, _STATUS_TEXTS.get(status, error.detail), headers, status=status)


def front_door_only() -> Response:
    """Return the refusal of a request that bypassed Caddy."""
    return Response(orjson.dumps(inside.refusal()), inside.REFUSED, media_type=CONTENT_TYPE)


async def _refused(request: Request, error: HTTPException) -> Response:
    if error.status_code == 405:
        return problem_response(Code.METHOD_NOT_ALLOWED, _STATUS_TEXTS[405], {"Allow": ", ".join(_allowed(request))})
    if error.status_code == 400 and not isinstance(error, ApiError) and _is_json(request):
        # Such as bytes that are no UTF-8, which the framework takes for a body that it cannot parse.
        return problem_response(Code.INVALID_JSON, "the request body is not valid JSON", status=422)
    return refusal_response(error)


def _is_json(request: Request) -> bool:
    return "json" in (request.headers.get("content-type") or "")


def _allowed(request: Request) -> list[str]:
    """Return every method of the path; the framework names those of the first matching route only."""
    routes = [route for route in request.app.routes if isinstance(route, Route)]
    path = next((route.path for route in routes if route.matches(request.scope)[0] is not Match.NONE), None)
    methods = {method for route in routes if route.path == path for method in route.methods or ()}
    # RequestContext answers HEAD for every GET route.
    return sorted(methods | ({"HEAD"} if "GET" in methods else set()))


async def _invalid(request: Request, error: RequestValidationError) -> Response:
    found = error.errors()
    if any(item["type"] == "model_attributes_type" for item in found) and not _is_json(request):
        return refusal_response(WrongMediaType())
    # Never repeat the input: it may hold a password or invalid text.
    errors = [{"field": _field(item["loc"]), "message": item["msg"].removeprefix("Value error, ")} for item in found]
    detail = "; ".join(f"{item['field']}: {item['message']}" for item in errors)
    code = Code.INVALID_JSON if any(item["type"] == "json_invalid" for item in found) else Code.INVALID
    return problem_response(code, detail, status=422, errors=errors)


def invalid_field(name: str, message: str) -> RequestValidationError:
    """Return the refusal of one body field, for checks that need more than the body."""
    return RequestValidationError([{"type": "value_error", "loc": ("body", name), "msg": message}])


def _field(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location[1:]) or str(location[0])


def just_deleted(constraint: str) -> ApiError | None:
    """Return the refusal when this foreign key is violated: another request deleted what the statement refers to.

    None for all others: no request should violate them.
    """
    refusal = _DELETED.get(constraint)
    return None if refusal is None else refusal()


async def _reference_violated(_request: Request, error: Exception) -> Response:
    refusal = just_deleted((error.diag.constraint_name or "") if isinstance(error, psycopg.Error) else "")
    if refusal is None:
        raise error
    return refusal_response(refusal)


async def _schema_behind(_request: Request, error: Exception) -> Response:
    request_fault(log, error, f"the schema is not what this release needs: {str(error).splitlines()[0]}")
    return refusal_response(SchemaBehind())


async def _internal_error(_request: Request, _error: Exception) -> Response:
    detail = "an unexpected error occurred: give an operator the request id of this answer"
    return problem_response(Code.INTERNAL_ERROR, detail)


def install(app: FastAPI) -> None:
    """Make `app` answer every refusal with a problem document."""
    handlers: dict[Any, Any] = {
        Exception: _internal_error,
        HTTPException: _refused,
        RequestValidationError: _invalid,
        psycopg.errors.ForeignKeyViolation: _reference_violated,
        psycopg.errors.UndefinedTable: _schema_behind,
        psycopg.errors.UndefinedColumn: _schema_behind,
    }
    for error, handler in handlers.items():
        app.add_exception_handler(error, handler)
