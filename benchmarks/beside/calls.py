"""Calls that are compared with those of another checkout, in addition to the routes that have a floor."""

from __future__ import annotations

from orjson import dumps

from benchmarks.dataset import PAGE, World
from benchmarks.load.round import MARK
from benchmarks.routes.case import Call, Case


def more(world: World) -> dict[str, list[Case]]:
    """Return the cases of each service."""
    other = world.user_id + 1  # the first of the people that `dataset` adds
    templates = f"/data-processor/templates/?channel_id={world.channel_id}&limit={PAGE}"
    members = f"/channels/{world.channel_id}/members"
    return {
        "backend": [
            _case("POST /channels/", "/channels/", {"name": f"#new-{MARK.decode()}", "type": "public"}, 201),
            _case("POST /channels/dm/{user_id}", f"/channels/dm/{other}"),
            _case("POST /channels/{channel_id}/members", members, {"user_id": other}),
            _case("GET /channels/search", f"/channels/search?name=listed&limit={PAGE}", items=PAGE),
        ],
        "data-processor": [
            _case("GET /data-processor/templates/", templates, items=PAGE),
        ],
    }


def opens_direct(world: World) -> Call:
    """Return the call after which the direct channel of `more` exists."""
    return Call("POST", f"/channels/dm/{world.user_id + 1}", status=201)


def _case(route: str, path: str, body: object = None, status: int = 200, items: int = 0) -> Case:
    call = Call(route.split()[0], path, b"" if body is None else dumps(body), status=status)
    return Case(route, "", call, call, items)
