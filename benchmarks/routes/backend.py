"""Every route of the backend.

The operator makes, joins and leaves channels, by the thousand; everybody else is in a few, as people are.
"""

from __future__ import annotations

from benchmarks.dataset import PAGE, PASSWORD, World
from benchmarks.load.websocket import text_frame
from benchmarks.routes import fresh
from benchmarks.routes.case import Call, Case, json

_FORM = "application/x-www-form-urlencoded"


def cases(world: World) -> list[Case]:
    """Return one case or more a route."""
    return [*_sessions(world), *_channels(world), *_members(world), *_messages(world), *_service(world)]


def _read_one(world: World) -> Call:
    return Call("GET", f"/read/user/{world.user_id}")


def _sessions(world: World) -> list[Case]:
    login = f"username=person-{{n}}&password={PASSWORD.replace(' ', '+')}".encode()
    numbers = fresh.never_used()

    def registration(prefix: str) -> bytes:
        return json({"username": f"{prefix}-{{n}}", "password": PASSWORD})

    return [
        Case("POST /auth/register", "hash, write",
             Call("POST", "/auth/register", registration("new"), status=201),
             Call("POST", "/register", registration("floor")), numbers),
        Case("POST /auth/login", "verify, read",
             Call("POST", "/auth/login", login, _FORM), Call("POST", "/login", login, _FORM),
             fresh.cycle(range(1, PAGE + 1))),
        Case("POST /auth/logout", "no query", Call("POST", "/auth/logout", status=204), _read_one(world)),
        Case("GET /auth/me", "read one", Call("GET", "/auth/me"), _read_one(world)),
        Case("GET /auth/operator", "no query", Call("GET", "/auth/operator"), _read_one(world), as_operator=True),
    ]  # fmt: skip


def _channels(world: World) -> list[Case]:
    me = {"user_id": world.operator_id}
    people, numbers = fresh.people(), fresh.never_used()
    return [
        Case("POST /channels/", "write 3 rows",
             Call("POST", "/channels/", json({"name": "#new-{n}"}), status=201),
             Call("POST", "/write/create/{n}", json({"name": "#floor-{n}", **me})), numbers, as_operator=True),
        Case("GET /channels/", "list 100",
             Call("GET", f"/channels/?limit={PAGE}"), Call("GET", "/read/channels/0"), items=PAGE),
        Case("GET /channels/search", "list 100",
             Call("GET", f"/channels/search?name=listed&limit={PAGE}"), Call("GET", "/read/names/0"), items=PAGE),
        Case("POST /channels/dm/{user_id}", "read one",
             Call("POST", f"/channels/dm/{world.friend_id}"), Call("GET", f"/read/direct/{world.direct_id}"),
             variant="there"),
        Case("POST /channels/dm/{user_id}", "write 3 rows",
             Call("POST", "/channels/dm/{n}", status=201), Call("POST", "/write/pair/{n}", json(me)), people,
             variant="new", as_operator=True),
        Case("POST /channels/{channel_id}/join", "write 2 rows",
             Call("POST", "/channels/{n}/join"),
             Call("POST", "/write/join/{n}", json({"channel_id": "{n}", **me})), fresh.channels(),
             as_operator=True),
        Case("POST /channels/{channel_id}/leave", "delete",
             Call("POST", "/channels/{n}/leave", status=204),
             Call("POST", "/write/leave/{n}", json(me)), fresh.channels(world.operator_id),
             as_operator=True),
        Case("DELETE /channels/{channel_id}", "delete 2 rows",
             Call("DELETE", "/channels/{n}", status=204),
             Call("POST", "/write/delete/{n}", json(me)), fresh.channels(world.operator_id),
             as_operator=True),
    ]  # fmt: skip


def _members(world: World) -> list[Case]:
    return [
        Case("GET /channels/{channel_id}/members", "list 100",
             Call("GET", f"/channels/{world.channel_id}/members?limit={PAGE}"),
             Call("GET", f"/read/members/{world.channel_id}"), items=PAGE),
        Case("POST /channels/{channel_id}/members", "write 2 rows",
             Call("POST", f"/channels/{world.busy_channel_id}/members", json({"user_id": "{n}"}), status=201),
             Call("POST", "/write/join/{n}", json({"channel_id": world.busy_channel_id, "user_id": "{n}"})),
             fresh.people()),
    ]  # fmt: skip


def _messages(world: World) -> list[Case]:
    text = "As long as what people tell each other in a channel"
    return [
        Case("POST /channels/{channel_id}/messages", "write",
             Call("POST", f"/channels/{world.busy_channel_id}/messages", json({"content": text}), status=201),
             Call("POST", f"/write/post/{world.busy_channel_id}", json({"content": text, "user_id": world.user_id}))),
        Case("GET /channels/{channel_id}/messages", "list 100",
             Call("GET", f"/channels/{world.channel_id}/messages?limit={PAGE}"),
             Call("GET", f"/read/messages/{world.channel_id}"), items=PAGE),
    ]  # fmt: skip


def _service(world: World) -> list[Case]:
    ping = text_frame(b'{"type":"ping","payload":{"sent_at_ms":1763845137000}}')
    return [
        Case("GET /health", "read one", Call("GET", "/health"), Call("GET", "/read/revision/0")),
        Case("GET /health/live", "no query", Call("GET", "/health/live"), _read_one(world)),
        Case("GET /openapi.json", "no query", Call("GET", "/openapi.json"), _read_one(world)),
        Case("WS /ws/{user_id}", "ping",
             Call("GET", f"/ws/{world.user_id}", upgrade=True), Call("GET", "/socket", upgrade=True),
             frame=ping),
    ]  # fmt: skip
