"""What all routes share: refusals, request ids, sessions, and who may do what."""

from __future__ import annotations

import hashlib
import hmac
import logging
import sqlite3
from typing import Annotated, Any

import orjson
from fastapi import Depends, FastAPI, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.requests import HTTPConnection
from fastapi.responses import Response
from servicekit import inside
from servicekit.codes import Code
from servicekit.context import accept_request_id, forwarded_for, request_id
from servicekit.facts import INTERNAL_HEADER, REQUEST_ID_HEADER, SESSION_COOKIE
from servicekit.inside import InternalSecret
from servicekit.log.faults import request_fault
from servicekit.origins import is_foreign
from servicekit.problems import CONTENT_TYPE, problem
from servicekit.tokens import TokenError, Verified, token_from, verify
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from baseline.live import Hub
from baseline.settings import BaselineSettings
from baseline.store import Row, Store

log = logging.getLogger(__name__)

MAX_ID = 2**63 - 1
PathId = Annotated[int, Path(ge=1, le=MAX_ID)]
Before = Annotated[int, Query(ge=1, le=MAX_ID)]
Limit = Annotated[int, Query(ge=1, le=100)]


class Refusal(HTTPException):
    """A refusal, answered as a problem document."""

    def __init__(self, code: Code, detail: str | None = None) -> None:
        super().__init__(code.status, detail or code.meaning)
        self.code = code


class Baseline:
    """What the one process holds."""

    def __init__(self, settings: BaselineSettings) -> None:
        """Open the database. Raises sqlite3.Error and SecretError."""
        self.settings, self.hub = settings, Hub(set)
        self.store = Store(settings.folder / "chat.sqlite3")
        # A key of this database: user 7 of another database, such as Postgres, is another person.
        database = self.store.all("SELECT id FROM identity")[0]["id"].encode()
        self.key = hmac.new(settings.token_secret().encode(), database, hashlib.sha256).hexdigest()

    def members(self, channel_id: int) -> list[int]:
        """Return the ids of a channel's members."""
        rows = self.store.all("SELECT user_id FROM memberships WHERE channel_id = ?", channel_id)
        return [row["user_id"] for row in rows]

    def channel(self, channel_id: int, user: Row, *, or_public: bool = False) -> Row:
        """Return a channel of the user's, or a public one. Raises Refusal."""
        found = self.store.one("SELECT *, direct_key IS NOT NULL AS is_direct FROM channels WHERE id = ?", channel_id)
        if found is None:
            raise Refusal(Code.NO_SUCH_CHANNEL)
        if user["id"] not in self.members(channel_id) and not (or_public and found["type"] == "public"):
            raise Refusal(Code.NOT_A_MEMBER)
        return {name: found[name] for name in ("id", "name", "type", "is_direct", "created_by", "created_at")}

    def session(self, connection: HTTPConnection) -> Verified:
        """Return the session of a request or handshake. Raises Refusal."""
        token = token_from(connection.headers.get("authorization"), connection.cookies.get(SESSION_COOKIE))
        try:
            return verify(self.key, token or "")
        except TokenError as error:
            raise Refusal(Code.UNAUTHENTICATED, str(error) if token else None) from None


async def _own(request: Request) -> Baseline:
    found: Baseline = request.app.state.baseline
    return found


async def _user(request: Request) -> Row:
    own = await _own(request)
    columns = "SELECT id, username, display_name, is_operator FROM users WHERE id = ?"
    user = own.store.one(columns, own.session(request).identity.user_id)
    if user is None:
        raise Refusal(Code.UNAUTHENTICATED)
    return user


Own = Annotated[Baseline, Depends(_own)]
User = Annotated[Row, Depends(_user)]
"""The user of the session; others get 401."""


def page(rows: list[Row], limit: int, key: str = "id") -> dict[str, Any]:
    """Return a page of `limit` of the `rows`, of which there is one more if there is a next page."""
    return {"items": rows[:limit], "next": rows[limit - 1][key] if len(rows) > limit else None}


def refuse(error: Exception) -> Response:
    """Return the problem document for any error."""
    code, detail, more = Code.INTERNAL_ERROR, "an unexpected error: give an operator the request id", {}
    status, headers = None, {}
    if isinstance(error, HTTPException):
        known = {404: Code.NO_SUCH_ADDRESS, 405: Code.METHOD_NOT_ALLOWED}
        code = error.code if isinstance(error, Refusal) else known.get(error.status_code, Code.REFUSED)
        detail, status, headers = error.detail, error.status_code, dict(error.headers or {})
    elif isinstance(error, RequestValidationError):
        # Never repeat the input: it may hold a password.
        names = [(".".join(map(str, one["loc"][1:])), one["msg"]) for one in error.errors()]
        code, detail = Code.INVALID, "; ".join(f"{name}: {message}" for name, message in names)
        more = {"errors": [{"field": name, "message": message} for name, message in names]}
    elif isinstance(error, sqlite3.OperationalError):
        request_fault(log, error, f"SQLite: {error}")
        code, detail = Code.UNAVAILABLE, "this cannot be stored or read now, perhaps because the disk is full"
    body = problem(code, detail, status=status, **more)
    if body["status"] == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(orjson.dumps(body), body["status"], headers, media_type=CONTENT_TYPE)


async def _refuse(_request: Request, error: Exception) -> Response:
    return refuse(error)


def answer_refusals(app: FastAPI) -> None:
    """Answer every error with a problem document."""
    for kind in (HTTPException, RequestValidationError, sqlite3.OperationalError, Exception):
        app.add_exception_handler(kind, _refuse)


class FrontDoor:
    """Refuses requests that bypass Caddy or come from another site; adds the request id to answers and logs."""

    def __init__(self, app: ASGIApp, settings: BaselineSettings) -> None:
        self._app, self._allowed = app, settings.allowed_origins
        self._secret: InternalSecret = settings.internal_secret()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or socket."""
        headers = {name.decode(): value.decode("latin-1") for name, value in scope.get("headers", ())}
        own_id = accept_request_id(headers.get(REQUEST_ID_HEADER.lower()))
        request_id.set(own_id)
        forwarded_for.set(headers.get("x-forwarded-for"))

        async def send_more(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.accept", "websocket.http.response.start"):
                added = [(b"cache-control", b"no-store"), (REQUEST_ID_HEADER.lower().encode(), own_id.encode())]
                message["headers"] = [*message.get("headers", ()), *added]
            await send(message)

        try:
            await (self._refusal(scope, headers) or self._app)(scope, receive, send_more)
        except Exception as error:
            request_fault(log, error, "unexpected error", path=scope.get("path"))

    def _refusal(self, scope: Scope, headers: dict[str, str]) -> Response | None:
        shown = headers.get(INTERNAL_HEADER.lower(), "").encode("latin-1")
        if scope["type"] != "lifespan" and not self._secret.admits(scope["path"], shown):
            return Response(orjson.dumps(inside.refusal()), inside.REFUSED, media_type=CONTENT_TYPE)
        site = headers.get("origin"), headers.get("sec-fetch-site"), headers.get("host")
        is_change = scope.get("method", "GET") not in ("GET", "HEAD", "OPTIONS") and "authorization" not in headers
        return refuse(Refusal(Code.FOREIGN_ORIGIN)) if is_change and is_foreign(*site, self._allowed) else None
