"""Writes that can be repeated: with an `Idempotency-Key`, the second time is answered like the first."""

from __future__ import annotations

from datetime import datetime
from typing import Any, LiteralString

import orjson
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from psycopg.errors import UniqueViolation
from pydantic import BaseModel
from servicekit import repeats

from backend.database import Database, Params, Row
from backend.errors import KeyInUse, KeyReused
from backend.queries.repeats import Once


def key_of(request: Request) -> str | None:
    """Return the request's key, if it has one. Raises RequestValidationError."""
    key = request.headers.get(repeats.HEADER)
    if key is None or repeats.is_key(key):
        return key
    raise RequestValidationError([{"type": "value_error", "loc": ("header", repeats.HEADER), "msg": repeats.INVALID}])


class Writing:
    """One request that writes: with a key, it writes once."""

    __slots__ = ("_db", "_path", "_user_id", "is_repeated", "key")

    def __init__(self, db: Database, user_id: int, request: Request) -> None:
        self._db = db
        self._user_id = user_id
        self._path: str = request.scope["path"]
        self.key = key_of(request)
        self.is_repeated = False

    async def fetch_one(self, statement: Once, params: Params, body: BaseModel) -> Row | None:
        """Run `statement` once and return its row, or that of the first time. Raises KeyInUse or KeyReused.

        None means what it means for the statement without a key.
        """
        if self.key is None:
            return await self._db.fetch_one(statement.plain, params)
        request = repeats.fingerprint(self._path, body.model_dump())
        given = {**params, "user_id": self._user_id, "key": self.key, "request": request}
        # Again, if the request that had the key has ended meanwhile without an answer.
        for _ in range(2):
            row = await self._write(statement.keyed, given)
            if row is not None:
                return row
            found = await self._db.fetch_one(repeats.FIND, {"user_id": self._user_id, "key": self.key})
            assert found is not None  # noqa: S101  always one row
            if found["in_work"]:
                raise KeyInUse
            if found["request"] is not None:
                if found["request"] != request:
                    raise KeyReused
                self.is_repeated = True
                return _row(orjson.loads(found["answer"]))
        return None

    async def _write(self, statement: LiteralString, given: Params) -> Row | None:
        try:
            return await self._db.fetch_one(statement, given)
        except UniqueViolation as error:
            if error.diag.constraint_name != repeats.CONSTRAINT:
                raise
            return None


def _row(stored: dict[str, Any]) -> Row:
    """Return a row as the statement gave it: JSON has no times."""
    return {
        name: datetime.fromisoformat(value) if value and (name == "timestamp" or name.endswith("_at")) else value
        for name, value in stored.items()
    }
