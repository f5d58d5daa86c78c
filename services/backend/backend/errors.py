"""Every refusal of the backend."""

# Refusals are named without the suffix "Error".
# ruff: noqa: N818

from __future__ import annotations

from typing import ClassVar

from fastapi.exceptions import RequestValidationError
from servicekit import repeats
from servicekit.codes import Code
from starlette.exceptions import HTTPException


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


def invalid_field(name: str, message: str) -> RequestValidationError:
    """Return the refusal of one body field, for checks that need more than the body."""
    return RequestValidationError([{"type": "value_error", "loc": ("body", name), "msg": message}])


def just_deleted(constraint: str) -> ApiError | None:
    """Return the refusal when this foreign key is violated: another request deleted what the statement refers to.

    None for all others: no request should violate them.
    """
    refusal = _DELETED.get(constraint)
    return None if refusal is None else refusal()
