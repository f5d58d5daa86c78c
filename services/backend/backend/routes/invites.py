"""Invites, for operators."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response
from servicekit.codes import Code

from backend import invites
from backend.deps import Operator, ProcessServices
from backend.direct import DirectRoute
from backend.errors import NoSuchInvite, UserDeleted
from backend.queries import invites as sql
from backend.responses import json_response, page_response, refusals
from backend.schemas import MAX_ID, Before, InvitePage, Limit, NewInvite, PathId

router = APIRouter(prefix="/auth/invites", tags=["auth"], route_class=DirectRoute)


@router.post("", status_code=201, response_model=NewInvite, responses=refusals(Code.NOT_AN_OPERATOR))
async def create_invite(caller: Operator, services: ProcessServices) -> Response:
    """Create an invite for one registration. Its code is shown only in this answer."""
    code = invites.new_code()
    wanted = {
        "code_hash": invites.code_hash(code),
        "user_id": caller.user.user_id,
        "ttl_s": services.settings.invite_ttl_s,
    }
    row = await caller.db.fetch_one(sql.CREATE, wanted)
    if row is None:
        raise UserDeleted
    return json_response({**row, "code": code}, 201)


@router.get("", response_model=InvitePage, responses=refusals(Code.NOT_AN_OPERATOR))
async def list_invites(caller: Operator, before: Before = MAX_ID, limit: Limit = 50) -> Response:
    """List invites, newest first."""
    rows = await caller.db.fetch_all(sql.LIST, {"before": before, "limit": limit + 1})
    return page_response(rows, limit, "id")


@router.delete(
    "/{invite_id}",
    status_code=204,
    response_class=Response,
    responses=refusals(Code.NOT_AN_OPERATOR, Code.NO_SUCH_INVITE),
)
async def delete_invite(invite_id: PathId, caller: Operator) -> Response:
    """Delete an invite."""
    if await caller.db.fetch_one(sql.DELETE, {"id": invite_id}) is None:
        raise NoSuchInvite
    return Response(status_code=204)
