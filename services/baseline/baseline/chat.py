"""Routes of users, channels, messages and the WebSocket."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from typing import Annotated, Any, Literal

import orjson
from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from fastapi import APIRouter, Body, Form, Response, WebSocket
from pydantic import AfterValidator, BaseModel, Field, model_validator
from servicekit import texts
from servicekit.codes import Code
from servicekit.context import client_address
from servicekit.facts import SESSION_COOKIE
from servicekit.log.faults import client_fault
from servicekit.origins import is_own
from servicekit.tokens import Identity, issue, new_session_id

from baseline import live
from baseline.live import BadFrameError, Frame, Socket
from baseline.store import MESSAGE, Row
from baseline.web import MAX_ID, Baseline, Before, Limit, Own, PathId, Refusal, User, page, refuse

log = logging.getLogger(__name__)
router = APIRouter()

_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_NO_USER = _HASHER.hash("the password of no user")
_FAILURES_MAX, _WINDOW_S = 30, 60
_failures: Counter[tuple[str, str | None, int]] = Counter()
Name = Annotated[str, Field(max_length=80), AfterValidator(texts.name)]


class NewUser(BaseModel):
    """A registration."""

    username: str = Field(pattern=r"^[A-Za-z0-9._-]{3,32}$")
    password: str = Field(min_length=8, max_length=256)
    display_name: Name | None = None


class NewChannel(BaseModel):
    """A new channel."""

    name: Name
    type: Literal["public", "private"] = "public"

    @model_validator(mode="after")
    def _marked(self) -> NewChannel:
        if self.type == "public" and not (self.name.startswith("#") and texts.is_visible(self.name.lstrip("# "))):
            raise ValueError("the name of a public channel begins with '#', followed by at least one other character")
        return self


class NewMessage(BaseModel):
    """A new message."""

    content: Annotated[str, Field(min_length=1, max_length=8000), AfterValidator(texts.content)]
    image_url: Annotated[str, Field(max_length=2048, pattern=r"^(https?://|/[^/\\])[^\s\\]*$")] | None = None


async def make_operator(own: Baseline, username: str, password: str) -> None:
    """Create the operator, or change their password."""
    hashed = await asyncio.to_thread(_HASHER.hash, texts.nfc(password))
    with own.store:
        own.store.change(
            "INSERT INTO users (username, display_name, password_hash, is_operator) VALUES (?1, ?1, ?2, 1) "
            "ON CONFLICT (username) DO UPDATE SET password_hash = ?2, is_operator = 1", username, hashed,
        )  # fmt: skip


def _log_in(own: Baseline, response: Response, user: Row) -> dict[str, Any]:
    ttl_s, secure = own.settings.session_ttl_s, own.settings.cookie_secure
    identity = Identity(user["id"], user["username"], user["is_operator"])
    token = issue(own.key, identity, new_session_id(), ttl_s)
    response.set_cookie(SESSION_COOKIE, token, max_age=ttl_s, httponly=True, samesite="lax", secure=secure)
    return {"access_token": token, "token_type": "bearer", "expires_in": ttl_s, "user": user}


@router.post("/auth/register", status_code=201)
async def register(body: NewUser, response: Response, own: Own) -> Row:
    """Create a user and log in."""
    if own.settings.registration != "open":
        raise Refusal(Code.REGISTRATION_CLOSED)
    hashed = await asyncio.to_thread(_HASHER.hash, texts.nfc(body.password))
    user: Row = {"username": body.username, "display_name": body.display_name or body.username, "is_operator": False}
    with own.store:
        statement = "INSERT INTO users (username, display_name, password_hash) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
        user_id = own.store.change(statement, user["username"], user["display_name"], hashed)
    if user_id is None:
        raise Refusal(Code.USERNAME_TAKEN)
    user = {"id": user_id, **user}
    _log_in(own, response, user)
    return user


@router.post("/auth/login")
async def login(
    username: Annotated[str, Form()], password: Annotated[str, Form()], response: Response, own: Own
) -> dict[str, Any]:
    """Log in with a form; the token is in the body and in the cookie."""
    counted = (username.lower()[:64], client_address(), int(time.time() / _WINDOW_S))
    for old in [one for one in _failures if one[2] != counted[2]]:
        del _failures[old]
    _failures[counted] += 1
    if _failures[counted] > _FAILURES_MAX:
        raise Refusal(Code.TOO_MANY_ATTEMPTS)
    user = own.store.one("SELECT * FROM users WHERE username = ?", username)
    try:
        hashed = user.pop("password_hash") if user else _NO_USER
        await asyncio.to_thread(_HASHER.verify, hashed, texts.nfc(password))
    except VerificationError:
        user = None
    if user is None:
        raise Refusal(Code.WRONG_CREDENTIALS)
    del _failures[counted]
    return _log_in(own, response, user)


@router.post("/auth/logout", status_code=204)
async def logout(response: Response) -> None:
    """Make the browser forget its session."""
    response.delete_cookie(SESSION_COOKIE, httponly=True, samesite="lax")


@router.get("/auth/me")
async def read_me(user: User) -> Row:
    """Say who is logged in."""
    return user


@router.get("/auth/operator")
async def check_operator(user: User) -> Response:
    """Say whether the session is an operator's, for Caddy to ask before it shows the recorder."""
    if not user["is_operator"]:
        raise Refusal(Code.NOT_AN_OPERATOR)
    return Response(headers={"X-Operator": user["username"]})


def _create_channel(own: Baseline, name: str, kind: str, user: Row, direct_key: str | None = None) -> Row | None:
    statement = (
        "INSERT INTO channels (name, search_key, type, direct_key, created_by) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT DO NOTHING"
    )
    made = own.store.change(statement, name, name.lower().lstrip("#"), kind, direct_key, user["id"])
    if made is None:
        return None
    own.store.change("INSERT INTO memberships (channel_id, user_id) VALUES (?, ?)", made, user["id"])
    return own.channel(made, user)


def _add_message(own: Baseline, channel_id: int, content: str, **values: Any) -> Row:
    made = own.store.change(
        "INSERT INTO messages (channel_id, content, sender_id, target_user_id, image_url) VALUES (?, ?, ?, ?, ?)",
        channel_id, content, values.get("sender_id"), values.get("target_user_id"), values.get("image_url"),
    )  # fmt: skip
    return own.store.all(f"{MESSAGE} WHERE m.id = ?", made)[0]


def _welcome(own: Baseline, channel: Row, user_id: int) -> Frame:
    return {
        "type": "message",
        **_add_message(own, channel["id"], f"Welcome to {channel['name']}!", target_user_id=user_id),
    }


def _membership(kind: str, channel: Row, user: Row) -> Frame:
    who = {"user_id": user["id"], "username": user["username"], "display_name": user["display_name"]}
    return {"type": kind, **who, "channel_id": channel["id"], "channel_name": channel["name"]}


@router.post("/channels/", status_code=201)
async def create_channel(body: NewChannel, user: User, own: Own) -> Row:
    """Create a channel and become its first member."""
    with own.store:
        channel = _create_channel(own, body.name, body.type, user)
        if channel is None:
            raise Refusal(Code.CHANNEL_EXISTS)
        welcome = _welcome(own, channel, user["id"])
    own.hub.deliver([user["id"]], welcome)
    return channel


@router.get("/channels/")
async def list_channels(user: User, own: Own, before: Before = MAX_ID, limit: Limit = 50) -> dict[str, Any]:
    """List the public channels and one's own private ones, newest first."""
    return await search_channels("", user, own, before, limit)


@router.get("/channels/search")
async def search_channels(
    name: str, user: User, own: Own, before: Before = MAX_ID, limit: Limit = 50
) -> dict[str, Any]:
    """Find channels by the beginning of their names, newest first."""
    statement = """
        SELECT id, name, type, direct_key IS NOT NULL AS is_direct, created_by, created_at FROM channels
        WHERE id < ?1 AND substr(search_key, 1, length(?2)) = ?2
          AND (type = 'public' OR id IN (SELECT channel_id FROM memberships WHERE user_id = ?3))
        ORDER BY id DESC LIMIT ?4
    """
    prefix = texts.normal(name).lower().lstrip("#")
    return page(own.store.all(statement, before, prefix, user["id"], limit + 1), limit)


@router.post("/channels/dm/{user_id}")
async def open_direct_channel(user_id: PathId, user: User, own: Own, response: Response) -> Row:
    """Open the one private channel of two users: 201 if it is new."""
    other = own.store.one("SELECT id, username, display_name FROM users WHERE id = ?", user_id)
    if other is None or user_id == user["id"]:
        raise Refusal(Code.NO_SUCH_USER if other is None else Code.DIRECT_WITH_ONESELF)
    key = "{}:{}".format(*sorted((user["id"], user_id)))
    there = own.store.one("SELECT id FROM channels WHERE direct_key = ?", key)
    if there is not None:
        return own.channel(there["id"], user)
    with own.store:
        channel = _create_channel(own, f"{user['username']}, {other['username']}", "private", user, key) or {}
        own.store.change("INSERT INTO memberships (channel_id, user_id) VALUES (?, ?)", channel["id"], user_id)
    for one in (user, other):
        own.hub.deliver([user["id"], user_id], _membership("join", channel, one))
    response.status_code = 201
    return channel


def _add_member(own: Baseline, channel: Row, user: Row) -> bool:
    """Make a user a member and tell the others; return whether they were none before."""
    with own.store:
        statement = "INSERT INTO memberships (channel_id, user_id) VALUES (?, ?) ON CONFLICT DO NOTHING"
        if own.store.change(statement, channel["id"], user["id"]) is None:
            return False
        welcome = _welcome(own, channel, user["id"])
    own.hub.deliver(own.members(channel["id"]), _membership("join", channel, user))
    own.hub.deliver([user["id"]], welcome)
    return True


@router.post("/channels/{channel_id}/join")
async def join_channel(channel_id: PathId, user: User, own: Own) -> Row:
    """Join a public channel."""
    channel = own.channel(channel_id, user, or_public=True)
    _add_member(own, channel, user)
    return channel


@router.post("/channels/{channel_id}/members", status_code=201)
async def add_member(
    channel_id: PathId,
    user_id: Annotated[int, Body(embed=True, strict=True, ge=1, lt=MAX_ID)],
    user: User,
    own: Own,
    response: Response,
) -> Row:
    """Add a user to a channel: 200 if they are a member already."""
    channel = own.channel(channel_id, user, or_public=True)
    other = own.store.one("SELECT id, username, display_name FROM users WHERE id = ?", user_id)
    if other is None or channel["is_direct"]:
        raise Refusal(Code.NO_SUCH_USER if other is None else Code.DIRECT_CHANNEL)
    response.status_code = 201 if _add_member(own, channel, other) else 200
    return _members(own, channel_id, user_id + 1, 1)[0]


@router.post("/channels/{channel_id}/leave", status_code=204)
async def leave_channel(channel_id: PathId, user: User, own: Own) -> None:
    """Leave a channel."""
    channel = own.channel(channel_id, user)
    if channel["is_direct"]:
        raise Refusal(Code.DIRECT_CHANNEL)
    with own.store:
        own.store.change("DELETE FROM memberships WHERE channel_id = ? AND user_id = ?", channel_id, user["id"])
    own.hub.deliver(own.members(channel_id), _membership("leave", channel, user))


def _members(own: Baseline, channel_id: int, before: int, limit: int) -> list[Row]:
    statement = """
        SELECT u.id AS user_id, u.username, u.display_name, m.joined_at
        FROM memberships m JOIN users u ON u.id = m.user_id
        WHERE m.channel_id = ? AND m.user_id < ? ORDER BY m.user_id DESC LIMIT ?
    """
    return own.store.all(statement, channel_id, before, limit)


@router.get("/channels/{channel_id}/members")
async def list_members(
    channel_id: PathId, user: User, own: Own, before: Before = MAX_ID, limit: Limit = 50
) -> dict[str, Any]:
    """List a channel's members, newest user first."""
    own.channel(channel_id, user, or_public=True)
    return page(_members(own, channel_id, before, limit + 1), limit, "user_id")


@router.post("/channels/{channel_id}/messages", status_code=201)
async def post_message(channel_id: PathId, body: NewMessage, user: User, own: Own) -> Row:
    """Store a message and send it to the channel's members."""
    own.channel(channel_id, user)
    with own.store:
        row = _add_message(own, channel_id, body.content, sender_id=user["id"], image_url=body.image_url)
    own.hub.deliver(own.members(channel_id), {"type": "message", **row})
    return row


@router.get("/channels/{channel_id}/messages")
async def list_messages(
    channel_id: PathId, user: User, own: Own, before: Before = MAX_ID, limit: Limit = 50
) -> dict[str, Any]:
    """List the newest messages, oldest first, without personal ones of other users."""
    own.channel(channel_id, user)
    statement = f"""{MESSAGE} WHERE m.channel_id = ? AND m.id < ?
        AND (m.target_user_id IS NULL OR m.target_user_id = ?) ORDER BY m.id DESC LIMIT ?"""
    found = page(own.store.all(statement, channel_id, before, user["id"], limit + 1), limit)
    return {**found, "items": found["items"][::-1]}


@router.websocket("/ws/{user_id}")
async def live_events(websocket: WebSocket, user_id: str) -> None:
    """Serve the socket of the session's own user."""
    own: Baseline = websocket.app.state.baseline
    origin = websocket.headers.get("origin")
    try:
        if origin is not None and not is_own(origin, websocket.headers.get("host"), own.settings.allowed_origins):
            raise Refusal(Code.FOREIGN_ORIGIN)
        session = own.session(websocket)
        if user_id != str(session.identity.user_id):
            raise Refusal(Code.NOT_YOUR_SOCKET)
    except Refusal as refusal:
        client_fault(log, "socket_refused", "refused a socket: %s", refusal.detail, code=refusal.code)
        await websocket.send_denial_response(refuse(refusal))
        return
    await websocket.accept()
    socket, owner = Socket(websocket, own.settings.socket_queue), int(user_id)
    left_s = max(0.0, session.expires_at - time.time())
    expiry = asyncio.get_running_loop().call_later(left_s, socket.close, live.SESSION_ENDED)
    own.hub[owner].add(socket)

    async def handle(data: str | bytes) -> None:
        _handle(own, socket, owner, data)

    try:
        await socket.run(handle)
    finally:
        own.hub[owner].discard(socket)
        expiry.cancel()


def _handle(own: Baseline, socket: Socket, user_id: int, data: str | bytes) -> None:
    """Act on a client's frame: answer a bad one with an error frame, close the socket after one that is too large."""
    if len(data if isinstance(data, bytes) else data.encode()) > own.settings.frame_max_bytes:
        socket.close(live.TOO_BIG)
        return
    try:
        frame = live.parse(data)
        if frame["type"] == "ping":
            socket.send(live.pong(frame))
            return
        members = own.members(frame["channel_id"])
        if user_id not in members:
            raise BadFrameError(Code.NOT_A_MEMBER, f"you are not a member of channel {frame['channel_id']}")
        own.hub.deliver(members, {**frame, "user_id": user_id} if frame["type"] == "typing" else frame)
    except orjson.JSONEncodeError:
        deep = BadFrameError(Code.INVALID_FRAME, "the frame is nested too deeply to be passed on")
        socket.send(deep.answer)
    except BadFrameError as error:
        client_fault(log, "bad_frame", "refused a bad frame: %s", error, user_id=user_id)
        socket.send(error.answer)
