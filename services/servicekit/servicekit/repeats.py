"""Requests that can be repeated: `Idempotency-Key`, and statements that keep an answer in the write's transaction."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson

HEADER = "Idempotency-Key"
KEY_MAX = 200
KEPT_H = 24
"""Hours for which a key is kept. The backend prunes the table."""
CONSTRAINT = "idempotency_keys_pkey"
RETRY_AFTER_S = 1

PARAMETER: dict[str, Any] = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": f"A text of your choice that names this request, such as a UUID. It is kept for {KEPT_H} hours: the "
    "same request with the same key is carried out once, and answered again with its first answer.",
    "schema": {"type": "string", "minLength": 1, "maxLength": KEY_MAX, "pattern": "^[!-~]+$"},
}
"""OpenAPI's description of the header."""

# The lock marks a request that is in work. It ends with the transaction, also if its connection or its server dies.
# A key that was used violates the primary key: looking it up in each statement would cost more than all the rest.
_FREE = "pg_try_advisory_xact_lock(hashtextextended(%(key)s::text, %(user_id)s::bigint))"
_STORE = "INSERT INTO idempotency_keys (user_id, key, request, answer)"
_GIVEN = "%(user_id)s::bigint, %(key)s::text, %(request)s::bytea"

IF_FREE = f"AND {_FREE}"
"""Condition of the query that a keyed statement's writes begin with: no row if the key is in work."""
KEPT = f"""kept AS ({_STORE} SELECT {_GIVEN}, to_json(answer) FROM answer RETURNING true)"""  # noqa: S608  constants
"""A WITH query that stores the row of the query `answer`."""

KEEP = f"""
    {_STORE} SELECT {_GIVEN}, %(answer)s::json WHERE {_FREE}
    RETURNING true AS kept
"""
"""Stores an answer at the end of a transaction. No row: the key is in work."""


def reading(statement: str) -> str:
    """Return `statement`, which reads the answer at the end of a transaction, so that it stores it, too.

    Its row has `kept` added, which is false if the key is in work.
    """
    return f"""
        WITH answer AS ({statement}), kept AS (
            {_STORE} SELECT {_GIVEN}, to_json(answer) FROM answer WHERE {_FREE} RETURNING true
        )
        SELECT answer.*, EXISTS (SELECT FROM kept) AS kept FROM answer
    """  # noqa: S608  constants


FIND = f"""
    SELECT request, answer::text AS answer, request IS NULL AND NOT {_FREE} AS in_work
    FROM (SELECT) one LEFT JOIN idempotency_keys ON user_id = %(user_id)s AND key = %(key)s
"""  # noqa: S608  constants
"""Looks for the first answer. The row has NULLs if there is none; `in_work` says whether one may come."""


def is_key(text: str) -> bool:
    """Return whether `text` can be a key: 1 to 200 visible ASCII characters."""
    return 0 < len(text) <= KEY_MAX and text.isascii() and text.isprintable() and " " not in text


INVALID = f"must be 1 to {KEY_MAX} visible ASCII characters, without spaces"
REUSED = "this Idempotency-Key was sent with another request: use a new key for each request"
IN_USE = "a request with this Idempotency-Key is still in work: repeat it after `Retry-After`"


def fingerprint(path: str, body: object) -> bytes:
    """Return what identifies a POST request: the hash of its path and of its body as it was understood."""
    return hashlib.sha256(path.encode() + b"\n" + orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).digest()
