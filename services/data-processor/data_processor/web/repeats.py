"""Requests that can be repeated: with an `Idempotency-Key`, the second time is answered like the first."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Annotated, Any, TypeVar, cast

import orjson
from django.db import IntegrityError
from django.http import HttpRequest
from servicekit import repeats
from servicekit.codes import Code

from data_processor.database import statements
from data_processor.database.statements import Row
from data_processor.web.auth import caller
from data_processor.web.errors import ConflictError, InvalidError, ProblemError
from data_processor.web.inputs import Source

Answer = TypeVar("Answer")
_META = "HTTP_" + repeats.HEADER.upper().replace("-", "_")


class KeyUsedError(Exception):
    """The key is in work: nothing was written."""


class Keep:
    """Stores the answer of a request that has a key.

    Call one of its methods once: `write` is the whole write, the others end its transaction.
    """

    def __init__(self, given: Row | None) -> None:
        """Without `given`, the request has no key, and nothing is stored."""
        self._given = given

    def answer(self, answer: Any) -> None:
        """Store this answer. Raises KeyUsedError."""
        if self._given is None:
            return
        given = {**self._given, "answer": orjson.dumps(answer).decode()}
        if statements.row(repeats.KEEP, given) is None:
            raise KeyUsedError

    def write(self, statement: str, keyed: str, parameters: Row) -> Row | None:
        """Run the statement that is the whole write, or the one that also stores its row. Raises KeyUsedError."""
        if self._given is None:
            return statements.row(statement, parameters)
        # Again, if the request that had the key has ended meanwhile without an answer.
        for _ in range(2):
            row = statements.row(keyed, {**parameters, **self._given})
            if row is not None:
                return row
            if _find(self._given)["in_work"]:
                raise KeyUsedError
        return None

    def row(self, statement: str, parameters: Row) -> Row | None:
        """Return the first row of a statement that reads the answer, and store it with it. Raises KeyUsedError."""
        if self._given is None:
            return statements.row(statement, parameters)
        # One statement: another round trip would cost a tenth of the call.
        found = statements.row(_reading(statement), {**parameters, **self._given})
        if found is not None and not found.pop("kept"):
            raise KeyUsedError
        return found


_reading = cache(repeats.reading)


class Once:
    """One request that writes: with a key, it writes once."""

    def __init__(self, request: HttpRequest) -> None:
        self._path = request.path_info
        self._key = request.META.get(_META)
        if self._key is not None and not repeats.is_key(self._key):
            raise InvalidError((repeats.HEADER, repeats.INVALID))

    def run(
        self, body: Callable[[], object], write: Callable[[Keep], Answer], *, look_first: bool = False,
        again: Callable[[str], Answer] = orjson.loads,
    ) -> Answer:  # fmt: skip
        """Return what `write` returns, or what it returned the first time, restored by `again` from what was kept.

        `body` returns what the request means. It is asked only if there is a key.

        Raises a refusal if the key was sent with another request, or with one that is still in work. `look_first` is
        for writes that cost much: others look when they cannot keep their answer.
        """
        if self._key is None:
            return write(Keep(None))
        given = {"user_id": caller.get(), "key": self._key, "request": repeats.fingerprint(self._path, body())}
        if look_first and (first := _first(given)) is not None:
            return again(first)
        try:
            return write(Keep(given))
        except (KeyUsedError, IntegrityError, ProblemError) as error:
            # A refusal may come of what the first request wrote, such as the name of a template.
            if (first := _first(given)) is not None:
                return again(first)
            if not isinstance(error, KeyUsedError):
                raise
        refusal = ConflictError(Code.KEY_IN_USE, repeats.IN_USE)
        refusal.headers["Retry-After"] = str(repeats.RETRY_AFTER_S)
        raise refusal


Repeatable = Annotated[
    Once, Source(Once, (Code.INVALID, Code.KEY_IN_USE, Code.KEY_REUSED), parameters=(repeats.PARAMETER,))
]
"""A request that may carry an `Idempotency-Key`."""


def row_of(answer: str) -> Row:
    """Return a row that `Keep.row` has stored as it was read: JSON has no times."""
    stored: Row = orjson.loads(answer)
    return {
        name: datetime.fromisoformat(value) if value and name.endswith("_at") else value
        for name, value in stored.items()
    }


def _find(given: Row) -> Row:
    return statements.rows(repeats.FIND, {"user_id": given["user_id"], "key": given["key"]})[0]


def _first(given: Row) -> str | None:
    """Return the first answer to a request, None if there is none yet. Raises a refusal if it was another request."""
    found = _find(given)
    if found["request"] is None:
        return None
    if bytes(found["request"]) != given["request"]:
        raise InvalidError((repeats.HEADER, repeats.REUSED), code=Code.KEY_REUSED)
    return cast(str, found["answer"])
