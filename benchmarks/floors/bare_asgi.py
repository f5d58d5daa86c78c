"""The floor of the backend and the log-sink: Starlette, psycopg's async pool, redis-py and orjson on uvicorn.

Every statement is its own transaction, so that nothing is spent on BEGIN and COMMIT.
"""
# ruff: noqa: S608  # composed of constants alone

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any, LiteralString

import orjson
import redis.asyncio as redis
import uvicorn
from backend.passwords import Passwords
from backend.settings import load
from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool
from servicekit.facts import LOG_STREAM
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_CHANNEL = "id, name, type, created_by, created_at"

STATEMENTS: dict[str, LiteralString] = {
    "login": "SELECT id, username, display_name, is_operator, password_hash FROM users WHERE username = %(username)s",
    "messages": """
        SELECT m.id, m.content, m.image_url, m.sender_id, u.username, u.display_name, m.channel_id, m.created_at,
               m.target_user_id
        FROM messages m LEFT JOIN users u ON u.id = m.sender_id
        WHERE m.channel_id = %(n)s AND m.target_user_id IS NULL
        ORDER BY m.target_user_id DESC, m.id DESC LIMIT 100
    """,
    "channels": f"SELECT {_CHANNEL} FROM channels WHERE type = 'public' ORDER BY id DESC LIMIT 100",
    "post": """
        INSERT INTO messages (channel_id, sender_id, content) VALUES (%(n)s, %(user_id)s, %(content)s)
        RETURNING id, content, image_url, sender_id, channel_id, created_at, target_user_id
    """,
}


async def read(request: Request) -> Response:
    """Answer the rows of the named statement."""
    return _answer(await _run(request, {"n": request.path_params["n"]}))


async def write(request: Request) -> Response:
    """Answer a row as it was written; parameters are the fields of the JSON body, and `n` of the path."""
    body: dict[str, Any] = orjson.loads(await request.body())
    (row,) = await _run(request, {"n": request.path_params["n"], **body})
    return _answer(row)


async def login(request: Request) -> Response:
    """Answer a user if the password is right; the backend's own code verifies it."""
    passwords: Passwords = request.app.state.passwords
    form = await request.form()
    (row,) = await _run(request, {"username": form["username"]}, "login")
    if not await passwords.matches(row.pop("password_hash"), str(form["password"]), "all"):
        return Response(status_code=401)
    return _answer(row)


async def entries(request: Request) -> Response:
    """Answer every entry of the recorder."""
    client: redis.Redis = request.app.state.redis
    kept: Any = await client.xrevrange(LOG_STREAM)
    return _answer([orjson.loads(fields[b"entry"]) for _, fields in kept])


async def none(_request: Request) -> Response:
    """Answer without any work, to show that the server is ready."""
    return Response(b'{"status":"ok"}', media_type="application/json")


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
    app.state.redis = redis.Redis.from_url(settings.redis_url, password=settings.redis_password())
    async with pool, app.state.redis:
        app.state.pool = pool
        yield


app = Starlette(
    routes=[
        Route("/none", none),
        Route("/read/{name}/{n:int}", read),
        Route("/write/{name}/{n:int}", write, methods=["POST"]),
        Route("/login", login, methods=["POST"]),
        Route("/entries", entries),
    ],
    lifespan=_lifespan,
)

if __name__ == "__main__":
    uvicorn.run(
        "benchmarks.floors.bare_asgi:app",
        port=load().port,
        workers=load().workers,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )
