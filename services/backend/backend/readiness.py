"""Readiness: the database is reachable, and its schema serves this release.

The first time is recorded in `stack_events`.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from pathlib import Path

from psycopg.errors import UndefinedTable
from servicekit.migrations import serves

from backend.database import Database
from backend.errors import ApiError
from backend.queries import service as sql
from backend.settings import SERVICE

log = logging.getLogger(__name__)

_WAIT_S = 1.0
_POLL_S = 0.25


@dataclass(frozen=True, slots=True)
class State:
    """The schema's revision if it can be read, and why the service is not ready; None if it is."""

    revision: str | None
    reason: str | None


class Readiness:
    """Compares the database's revision with `head`, which this release needs at least."""

    def __init__(self, database: Database, head: str) -> None:
        self._database = database
        self._head = head
        self.last_seen: str | None = None

    async def check(self) -> State:
        """Ask the database. Takes at most two seconds."""
        try:
            row = await self._database.fetch_one(sql.REVISION, {}, wait_s=_WAIT_S, timeout_s=_WAIT_S)
        except UndefinedTable:
            row = None
        except ApiError as error:
            return State(None, error.detail)
        self.last_seen = row["version_num"] if row else None
        if serves(self.last_seen, self._head):
            return State(self.last_seen, None)
        return State(
            self.last_seen,
            f"the database schema is at {self.last_seen or 'nothing'}, this release needs {self._head}: "
            "run `python -m backend migrate`",
        )

    async def announce(self, stack_id: str, claim: Path | None) -> None:
        """Wait until the service is ready, then record it: once for all processes that share the file `claim`."""
        state = await self.check()
        while state.reason is not None:
            await asyncio.sleep(_POLL_S)
            state = await self.check()
        log.info("ready", extra={"fields": {"revision": state.revision}})
        while claim is None or _create_claim(claim):
            try:
                await self._database.fetch_all(
                    sql.RECORD_EVENT,
                    {"stack_id": stack_id, "component": SERVICE, "event": "ready", "detail": state.revision},
                )
                return
            except ApiError:
                if claim is not None:
                    _remove_claim(claim)
                await asyncio.sleep(_POLL_S)


def _create_claim(claim: Path) -> bool:
    """Create `claim`. Return whether this process created it."""
    try:
        claim.touch(exist_ok=False)
    except OSError:
        return False
    return True


def _remove_claim(claim: Path) -> None:
    claim.unlink(missing_ok=True)
