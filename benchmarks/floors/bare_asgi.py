"""The backend's floor: Starlette, psycopg's async pool and orjson on uvicorn, two processes.

Every statement is its own transaction, so that nothing is spent on BEGIN and COMMIT.
"""
# ruff: noqa: S608  # composed of constants alone

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any, LiteralString

import orjson
import uvicorn
from backend.passwords import Passwords
from backend.settings import load
from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

PROCESSES = 2

_CHANNEL = "id, name, type, created_by, created_at"
_PERSON = "id, username, display_name, is_operator"

STATEMENTS: dict[str, LiteralString] = {
    "revision": "SELECT version_num FROM alembic_version",
    "user": f"SELECT {_PERSON} FROM users WHERE id = %(n)s",
    "login": f"SELECT {_PERSON}, password_hash FROM users WHERE username = %(username)s",
    "direct": f"SELECT {_CHANNEL} FROM channels WHERE id = %(n)s",
    "messages": """
        SELECT m.id, m.content, m.image_url, m.sender_id, u.username, u.display_name, m.channel_id, m.created_at,
               m.target_user_id
        FROM messages m LEFT JOIN users u ON u.id = m.sender_id
        WHERE m.channel_id = %(n)s AND m.target_user_id IS NULL
        ORDER BY m.target_user_id DESC, m.id DESC LIMIT 100
    """,
    "channels": f"SELECT {_CHANNEL} FROM channels WHERE type = 'public' ORDER BY id DESC LIMIT 100",
    "names": f"""
        SELECT {_CHANNEL} FROM channels
        WHERE type = 'public' AND ltrim(lower(name) COLLATE "C", '#') >= 'listed'
        ORDER BY ltrim(lower(name) COLLATE "C", '#') LIMIT 100
    """,
    "members": """
        SELECT m.user_id, u.username, u.display_name, m.joined_at
        FROM memberships m JOIN users u ON u.id = m.user_id
        WHERE m.channel_id = %(n)s ORDER BY m.user_id DESC LIMIT 100
    """,
    "post": """
        INSERT INTO messages (channel_id, sender_id, content) VALUES (%(n)s, %(user_id)s, %(content)s)
        RETURNING id, content, image_url, sender_id, channel_id, created_at, target_user_id
    """,
    "register": f"""
        INSERT INTO users (username, display_name, password_hash)
        VALUES (%(username)s, %(username)s, %(password_hash)s) RETURNING {_PERSON}
    """,
    "create": f"""
        WITH channel AS (
            INSERT INTO channels (name, type, created_by) VALUES (%(name)s, 'public', %(user_id)s) RETURNING {_CHANNEL}
        ), member AS (
            INSERT INTO memberships (channel_id, user_id) SELECT id, created_by FROM channel
        ), welcome AS (
            INSERT INTO messages (channel_id, target_user_id, content) SELECT id, created_by, 'Welcome!' FROM channel
        )
        SELECT * FROM channel
    """,
    "pair": f"""
        WITH channel AS (
            INSERT INTO channels (name, type, direct_key, created_by)
            VALUES ('two', 'private', least(%(n)s, %(user_id)s) || ':' || greatest(%(n)s, %(user_id)s), %(user_id)s)
            RETURNING {_CHANNEL}
        ), members AS (
            INSERT INTO memberships (channel_id, user_id)
            SELECT id, unnest(ARRAY[%(n)s, %(user_id)s]::bigint[]) FROM channel
        )
        SELECT * FROM channel
    """,
    "join": """
        WITH member AS (
            INSERT INTO memberships (channel_id, user_id) VALUES (%(channel_id)s, %(user_id)s)
            RETURNING channel_id, user_id, joined_at
        ), welcome AS (
            INSERT INTO messages (channel_id, target_user_id, content)
            SELECT channel_id, user_id, 'Welcome!' FROM member
        )
        SELECT * FROM member
    """,
    "leave": """
        DELETE FROM memberships WHERE channel_id = %(n)s AND user_id = %(user_id)s RETURNING channel_id, user_id
    """,
    "delete": "DELETE FROM channels WHERE id = %(n)s AND created_by = %(user_id)s RETURNING id",
}
_ONE = frozenset({"revision", "user", "direct"})


async def read(request: Request) -> Response:
    """One row, or a list of rows, of the named statement."""
    rows = await _run(request, {"n": request.path_params["n"]})
    return _answer(rows[0] if request.path_params["name"] in _ONE else rows)


async def write(request: Request) -> Response:
    """A row as it was written: the fields of the JSON body are the statement's parameters, `n` the path's number."""
    body: dict[str, Any] = orjson.loads(await request.body())
    (row,) = await _run(request, {"n": request.path_params["n"], **body})
    return _answer(row)


async def register(request: Request) -> Response:
    """A new user, with the hash of a password: the one that the backend makes."""
    body: dict[str, Any] = orjson.loads(await request.body())
    passwords: Passwords = request.app.state.passwords
    parameters = {"username": body["username"], "password_hash": await passwords.hash(body["password"], "all")}
    return _answer((await _run(request, parameters, "register"))[0])


async def login(request: Request) -> Response:
    """A user, if the password is right: verified as the backend does it."""
    passwords: Passwords = request.app.state.passwords
    form = await request.form()
    (row,) = await _run(request, {"username": form["username"]}, "login")
    if not await passwords.matches(row.pop("password_hash"), str(form["password"]), "all"):
        return Response(status_code=401)
    return _answer(row)


async def none(_request: Request) -> Response:
    """An answer from nowhere."""
    return Response(b'{"status":"ok"}', media_type="application/json")


async def socket(websocket: WebSocket) -> None:
    """Answer every frame with one of its kind."""
    await websocket.accept()
    async for text in websocket.iter_text():
        frame = orjson.loads(text)
        await websocket.send_text(orjson.dumps({**frame, "type": "pong"}).decode())


async def _run(request: Request, parameters: dict[str, Any], name: str = "") -> list[DictRow]:
    pool: AsyncConnectionPool[AsyncConnection[DictRow]] = request.app.state.pool
    async with pool.connection() as connection:
        cursor = await connection.execute(STATEMENTS[name or request.path_params["name"]], parameters)
        return await cursor.fetchall()


def _answer(body: Any) -> Response:
    return Response(orjson.dumps(body), media_type="application/json")


@contextlib.asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    settings = load()
    pool: AsyncConnectionPool[AsyncConnection[DictRow]] = AsyncConnectionPool(
        settings.conninfo("floor"),
        min_size=settings.pool_size,
        kwargs={"autocommit": True, "row_factory": dict_row},
        open=False,
    )
    app.state.passwords = Passwords()
    async with pool:
        app.state.pool = pool
        yield


app = Starlette(
    routes=[
        Route("/none", none),
        Route("/read/{name}/{n:int}", read),
        Route("/write/{name}/{n:int}", write, methods=["POST"]),
        Route("/register", register, methods=["POST"]),
        Route("/login", login, methods=["POST"]),
        WebSocketRoute("/socket", socket),
    ],
    lifespan=_lifespan,
)

if __name__ == "__main__":
    uvicorn.run(
        "benchmarks.floors.bare_asgi:app",
        port=load().port,
        workers=PROCESSES,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )
