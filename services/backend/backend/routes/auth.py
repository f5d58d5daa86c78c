"""Users and their sessions."""

from __future__ import annotations

import contextlib
import logging
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response
from pydantic import AfterValidator
from servicekit.codes import Code
from servicekit.facts import OPERATOR_USERNAME
from servicekit.tokens import Identity, Verified, new_session_id

from backend.addresses import client_address
from backend.database import Row
from backend.deps import Authenticated, ProcessServices, Services, operator
from backend.errors import (
    AccountDisabled,
    InviteNeeded,
    RegistrationClosed,
    Unauthenticated,
    UserDeleted,
    UsernameTaken,
    WrongCredentials,
    invalid_field,
)
from backend.invites import code_hash
from backend.live import frames
from backend.queries import invites as invites_sql
from backend.queries import sessions as sessions_sql
from backend.queries import users as sql
from backend.responses import json_response, refusals
from backend.schemas import Registration, Session, User, storable

log = logging.getLogger(__name__)
router = APIRouter(prefix="/auth", tags=["auth"])

Field = Annotated[str, Form(max_length=256), AfterValidator(storable)]


@router.post(
    "/register",
    status_code=201,
    response_model=User,
    responses=refusals(
        Code.REGISTRATION_CLOSED,
        Code.INVITE_NEEDED,
        Code.USERNAME_TAKEN,
        Code.TOO_MANY_REGISTRATIONS,
    ),
)
async def register(body: Registration, request: Request, services: ProcessServices) -> Response:
    """Create a user and log in: the session cookie is set."""
    mode = services.settings.registration
    if mode == "closed":
        raise RegistrationClosed
    address = client_address(request)
    lane = await services.throttle.registration(address)
    invite = {"code_hash": code_hash(body.invite or "")}
    if mode == "invite" and await services.database.fetch_one(invites_sql.IS_GOOD, invite) is None:
        raise InviteNeeded
    if await services.database.fetch_one(sql.BY_USERNAME, {"username": body.username}) is not None:
        raise UsernameTaken
    display_name = body.display_name or body.username
    weakness = await services.passwords.weakness(body.password, body.username, display_name, lane)
    if weakness is not None:
        raise invalid_field("password", weakness)
    user = {
        "username": body.username,
        "display_name": display_name,
        "password_hash": await services.passwords.hash(body.password, lane),
    }
    if mode == "invite":
        row = await services.database.fetch_one(invites_sql.REGISTER, {**user, **invite})
        if row is None and await services.database.fetch_one(invites_sql.IS_GOOD, invite) is None:
            raise InviteNeeded
    else:
        row = await services.database.fetch_one(sql.CREATE, {**user, "is_operator": False})
    if row is None:
        raise UsernameTaken
    await services.throttle.registered(body.username, address)
    token = await _open_session(services, row, user["password_hash"])
    if token is None:
        raise UserDeleted
    response = json_response(row, 201)
    services.sessions.set_cookie(response, token)
    return response


@router.post(
    "/login",
    response_model=Session,
    responses=refusals(Code.WRONG_CREDENTIALS, Code.ACCOUNT_DISABLED, Code.TOO_MANY_ATTEMPTS),
)
async def login(
    request: Request,
    username: Field,
    password: Field,
    services: ProcessServices,
) -> Response:
    """Log in with a form of user name and password: the token is in the body and in the session cookie."""
    address = client_address(request)
    lane = await services.throttle.login(username, address)
    row = await services.database.fetch_one(sql.BY_USERNAME, {"username": username})
    password_hash = row.pop("password_hash") if row else None
    if not await services.passwords.matches(password_hash, password, lane) or row is None:
        raise WrongCredentials
    await services.throttle.succeeded(username, address)
    if row.pop("is_disabled"):
        raise AccountDisabled
    token = await _open_session(services, row, password_hash)
    if token is None:
        raise WrongCredentials  # The password was changed, or the user deleted, since it was verified.
    response = json_response(
        {"access_token": token, "token_type": "bearer", "expires_in": services.sessions.ttl_s, "user": row}
    )
    services.sessions.set_cookie(response, token)
    return response


@router.post("/logout", status_code=204, response_class=Response)
async def logout(request: Request, services: ProcessServices) -> Response:
    """End the session, with its sockets, and make the browser forget it. Nothing to end is no error."""
    with contextlib.suppress(Unauthenticated):
        await _end_session(services, services.sessions.verify(request))
    response = Response(status_code=204)
    services.sessions.clear_cookie(response)
    return response


@router.get("/me", response_model=User)
async def read_me(caller: Authenticated) -> Response:
    """Say who is logged in."""
    row = await caller.db.fetch_one(sql.BY_ID, {"id": caller.user.user_id})
    if row is None:
        raise UserDeleted
    return json_response(row)


@router.get("/operator", response_class=Response, responses=refusals(Code.NOT_AN_OPERATOR))
async def check_operator(request: Request, services: ProcessServices) -> Response:
    """Say whether the session is an operator's, for the proxy to ask before it shows the recorder."""
    if services.sessions.is_of_deployment(request):
        return Response(headers={"X-Operator": OPERATOR_USERNAME})
    caller = await operator(request)
    return Response(headers={"X-Operator": caller.user.username})


async def _open_session(services: Services, row: Row, password_hash: str | None) -> str | None:
    """Open a session and return its token. None: the password was changed, or the user disabled or deleted."""
    session_id = new_session_id()
    wanted = {
        "session_id": session_id,
        "user_id": row["id"],
        "password_hash": password_hash,
        "ttl_s": services.sessions.ttl_s,
    }
    if await services.database.fetch_one(sessions_sql.OPEN, wanted) is None:
        return None
    return services.sessions.issue(Identity(row["id"], row["username"], row["is_operator"]), session_id)


async def _end_session(services: Services, session: Verified) -> None:
    if await services.database.fetch_one(sessions_sql.END, {"session_id": session.session_id}) is None:
        return
    user = session.identity
    services.users.forget(user.user_id)
    services.events.emit(None, frames.SESSIONS_CHANGED, [user.user_id])
    if user.is_operator:
        services.tails.end()
