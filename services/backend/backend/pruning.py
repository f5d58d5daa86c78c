"""Deletes what is kept for a limited time only."""

from __future__ import annotations

import asyncio
import logging
import random

import psycopg

from backend.database import Database
from backend.errors import ApiError
from backend.queries import events, repeats, sessions

log = logging.getLogger(__name__)

_EVERY_S = 600.0
_STATEMENTS = (repeats.PRUNE, sessions.PRUNE, events.PRUNE)


async def prune_forever(database: Database) -> None:
    """Delete old rows every ten minutes, until cancelled. Each server process does; none depends on another."""
    while True:
        # Not all at the same time.
        await asyncio.sleep(_EVERY_S * random.uniform(0.5, 1.5))  # noqa: S311  not for secrets
        await prune(database)


async def prune(database: Database) -> None:
    """Delete what is too old by now."""
    for statement in _STATEMENTS:
        try:
            while (gone := await database.fetch_one(statement, {})) is not None and gone["count"]:
                log.info("old rows were deleted", extra={"fields": gone})
        except (ApiError, psycopg.Error) as error:
            log.info("old rows are deleted later: %s", error)
        except Exception:
            log.exception("old rows could not be deleted")
