"""Every `code` of a refusal. Tests compare the Caddyfile and the documentation with this list."""

from __future__ import annotations

from enum import StrEnum


class Code(StrEnum):
    """A refusal's code, for programs, with its HTTP statuses (the usual one first) and its meaning."""

    statuses: tuple[int, ...]
    meaning: str

    def __new__(cls, value: str, statuses: tuple[int, ...] = (), meaning: str = "") -> Code:
        """Make a member whose value is the text that clients see."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.statuses = statuses
        member.meaning = meaning
        return member

    @property
    def status(self) -> int:
        """The usual HTTP status."""
        return self.statuses[0]

    # The request itself
    INVALID_JSON = "invalid_json", (400, 422), "The body, or the frame, is not valid JSON."
    MALFORMED_BODY = "malformed_body", (400, 422), "The form in the body cannot be parsed."
    MALFORMED_REQUEST = "malformed_request", (400,), "The request is not well-formed."
    INCOMPLETE = "incomplete", (400,), "The body ended early. Send it again."
    NO_SUCH_ADDRESS = "no_such_address", (404,), "There is nothing at this address."
    METHOD_NOT_ALLOWED = (
        "method_not_allowed",
        (405,),
        "The address does not accept this method. `Allow` lists the methods it accepts.",
    )
    BODY_TOO_LARGE = "body_too_large", (413,), "The body is larger than this address accepts."
    WRONG_MEDIA_TYPE = (
        "wrong_media_type",
        (415,),
        "The body, or the file in it, is of a type that this address does not accept.",
    )
    RANGE_NOT_SATISFIABLE = "range_not_satisfiable", (416,), "The requested range is outside of the file."
    INVALID = "invalid", (422,), "A value is wrong. `errors` names each field."
    REFUSED = (
        "refused",
        (400,),
        "The request is refused for another reason, given in `status` and `detail`. Any status.",
    )

    # The caller
    UNAUTHENTICATED = (
        "unauthenticated",
        (401,),
        "There is no session, it has expired or was ended, or its user was disabled or deleted. Log in.",
    )
    WRONG_CREDENTIALS = "wrong_credentials", (401,), "User name or password is wrong."
    ACCOUNT_DISABLED = "account_disabled", (403,), "An operator has disabled the account."
    WRONG_PASSWORD = "wrong_password", (403,), "The password that must be repeated is wrong. Nothing was changed."
    FOREIGN_ORIGIN = "foreign_origin", (403,), "The request comes from a browser page of an origin that is not allowed."
    FRONT_DOOR_ONLY = "front_door_only", (403,), "The request did not come through the front door."
    NOT_YOUR_SOCKET = "not_your_socket", (403,), "The socket's address names another user than the session."
    REGISTRATION_CLOSED = "registration_closed", (403,), "Registration is closed."
    INVITE_NEEDED = "invite_needed", (403,), "Registration needs an invite that is unused and not expired."
    TOO_MANY_ATTEMPTS = "too_many_attempts", (429,), "Too many failed logins. Wait for `Retry-After`."
    TOO_MANY_REGISTRATIONS = (
        "too_many_registrations",
        (429,),
        "Too many registrations from one address. Wait for `Retry-After`.",
    )

    # What the caller may do
    NOT_A_MEMBER = "not_a_member", (403,), "This is for members of the channel."
    NOT_THE_CREATOR = "not_the_creator", (403,), "This is for the user who created the channel."
    NOT_AN_OPERATOR = "not_an_operator", (403,), "This is for operators."
    FORBIDDEN = (
        "forbidden",
        (403,),
        "This is for the uploader of the document, the creator of its channel or an operator.",
    )

    # What is not there
    NO_SUCH_CHANNEL = "no_such_channel", (404,), "There is no such channel."
    NO_SUCH_MEMBER = "no_such_member", (404,), "The user is not a member of the channel."
    NO_SUCH_USER = "no_such_user", (404,), "There is no such user."
    NO_SUCH_INVITE = "no_such_invite", (404,), "There is no such invite."
    NO_SUCH_DOCUMENT = "no_such_document", (404,), "There is no such document."
    NO_SUCH_PAGE = "no_such_page", (404,), "The document has no such page."
    NO_SUCH_ANNOTATION = "no_such_annotation", (404,), "The document has no such annotation."
    NO_SUCH_TEMPLATE = "no_such_template", (404,), "There is no such template."
    NO_SUCH_BATCH_JOB = "no_such_batch_job", (404,), "There is no such batch job."
    NO_THUMBNAIL = "no_thumbnail", (404,), "No picture can be made of this document."

    # What is in conflict
    PASSWORD_IN_FILE = "password_in_file", (409,), "The password of this user is a secret file of the deployment."
    USERNAME_TAKEN = "username_taken", (409,), "Another user has this name."
    CHANNEL_EXISTS = "channel_exists", (409,), "There is a public channel of this name."
    NAME_TAKEN = "name_taken", (409,), "The channel has a template of this name."
    TEXT_PENDING = (
        "text_pending",
        (409,),
        "The text of the document is still being read. Try again after `Retry-After`.",
    )
    KEY_IN_USE = (
        "key_in_use",
        (409,),
        "A request with this `Idempotency-Key` is still in work. Repeat it after `Retry-After`.",
    )
    TEMPLATE_CHANGED = "template_changed", (409,), "The template was changed while it was applied. Apply it again."
    DIRECT_CHANNEL = "direct_channel", (409,), "A direct channel keeps its name and its two members."
    LAST_OPERATOR = "last_operator", (409,), "The last operator cannot be deleted."
    TOO_MUCH_AT_ONCE = (
        "too_much_at_once",
        (409,),
        "There is too much to delete or to export at once. Nothing was changed.",
    )
    KEY_REUSED = "key_reused", (422,), "This `Idempotency-Key` was sent with another request."
    DIRECT_WITH_ONESELF = "direct_with_oneself", (422,), "A direct channel needs another user."

    # Files
    BROKEN_FILE = "broken_file", (422,), "The file is empty, truncated or damaged."
    ENCRYPTED = "encrypted", (422,), "The PDF is encrypted."
    SEVERAL_FRAMES = "several_frames", (422,), "The image has several frames."
    TOO_MANY_PIXELS = "too_many_pixels", (422,), "The image has too many pixels."
    TOO_MANY_PAGES = "too_many_pages", (422,), "The PDF has too many pages."
    PAGE_SIZE = "page_size", (422,), "A page of the PDF has a size that is not accepted."
    TOO_COMPLEX = "too_complex", (422,), "The file takes too long, or too much memory, to decode."

    # Frames of the WebSocket
    INVALID_FRAME = "invalid_frame", (), "The frame lacks something, or a value in it is wrong."
    BINARY_FRAME = "binary_frame", (), "The frame is binary. Frames are text."
    UNKNOWN_TYPE = "unknown_type", (), "There is no frame of this type."

    # The stack
    TOO_MANY_AT_ONCE = "too_many_at_once", (429,), "The caller has too many requests in progress."
    OVERLOADED = "overloaded", (503,), "Too many requests are in progress. Try again after `Retry-After`."
    TOO_MANY_READERS = "too_many_readers", (503,), "Too many live tails of the recorder are open."
    UNAVAILABLE = "unavailable", (503,), "Something that the request needs is temporarily unavailable."
    DATABASE_AWAY = "database_away", (503,), "The database does not answer."
    REDIS_UNAVAILABLE = "redis_unavailable", (503,), "The recorder's Redis does not answer."
    SCHEMA_BEHIND = "schema_behind", (503,), "The database's schema is not at this release's revision."
    UPSTREAM_UNAVAILABLE = "upstream_unavailable", (502, 503, 504), "The service behind the front door does not answer."
    INTERNAL_ERROR = "internal_error", (500,), "The service failed. An operator finds the cause under the request id."
