"""Requests that can be repeated: with an `Idempotency-Key`, the second time is answered like the first."""

from __future__ import annotations

from collections.abc import Callable
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
Keep = Callable[[Any], None]
"""Stores the answer of a request. Call it in the transaction of the write, as the last statement."""

_META = "HTTP_" + repeats.HEADER.upper().replace("-", "_")


class KeyUsedError(Exception):
    """The key is in use, or was used: nothing was written."""


class Once:
    """One request that writes: with a key, it writes once."""

    def __init__(self, request: HttpRequest) -> None:
        self._path = request.path_info
        self._key = request.META.get(_META)
        if self._key is not None and not repeats.is_key(self._key):
            raise InvalidError((repeats.HEADER, repeats.INVALID))

    @property
    def has_key(self) -> bool:
        """Whether the request has a key."""
        return self._key is not None

    def given(self, body: object) -> Row:
        """Return the parameters of the statements in `servicekit.repeats`."""
        return {"user_id": caller.get(), "key": self._key, "request": repeats.fingerprint(self._path, body)}

    def run(
        self, body: object, write: Callable[[Keep], Answer], *, look_first: bool = False,
        again: Callable[[str], Answer] = orjson.loads,
    ) -> Answer:  # fmt: skip
        """Return what `write` returns, or what it returned the first time, restored by `again` from what was kept.

        Raises a refusal if the key was sent with another request, or with one that is still in work. `look_first` is
        for writes that cost much: others look when they cannot keep their answer.
        """
        if self._key is None:
            return write(_keep_nothing)
        given = self.given(body)
        if look_first and (first := _find(given)) is not None:
            return again(first)
        try:
            return write(lambda answer: _keep(given, answer))
        except (KeyUsedError, IntegrityError, ProblemError) as error:
            # A refusal may come of what the first request wrote, such as the name of a template.
            if (first := _find(given)) is not None:
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


def _keep_nothing(_answer: Any) -> None:
    """Do nothing: the request has no key."""


def _keep(given: Row, answer: Any) -> None:
    if statements.row(repeats.KEEP, {**given, "answer": orjson.dumps(answer).decode()}) is None:
        raise KeyUsedError


def _find(given: Row) -> str | None:
    found = statements.row(repeats.FIND, {"user_id": given["user_id"], "key": given["key"]})
    if found is None:
        return None
    if bytes(found["request"]) != given["request"]:
        raise InvalidError((repeats.HEADER, repeats.REUSED), code=Code.KEY_REUSED)
    return cast(str, found["answer"])
