"""GET /logs/stream: the live tail as server-sent events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import orjson
from servicekit.codes import Code
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from log_sink.filters import BadQueryError, Filter, parse_filter
from log_sink.hub import Hub, Position
from log_sink.responses import problem_response, redis_away
from log_sink.sink import Sink

HEARTBEAT_S = 5.0
_RECONNECT_MS = 1000
_BETWEEN_CHUNKS_S = 0.1
"""A reader gets at most ten chunks a second of at most `LOG_CAP` entries; the number of the others is in `gap`."""
_STREAM_MAX_S = 60.0
"""A stream ends after this time, even if Redis told of no ended session; the reader reconnects where it was, and its
session is checked again."""


async def stream(request: Request) -> Response:
    """All entries newer than `Last-Event-ID` (or `?after=`, 0 for all that are kept), then new ones as they arrive.

    Events: unnamed with `id` (an entry), `gap` ({missed}: entries that were superseded before this reader could get
    them), `reset` ({since}: the buffer was emptied, what follows is all there is), `stats` (also the heartbeat: one
    every 5 s at least), `away` (Redis does not answer; entries wait in the sink).
    """
    sink: Sink = request.app.state.sink
    try:
        wanted = parse_filter(request.query_params.multi_items(), also=("after",))
    except BadQueryError as error:
        return problem_response(Code.INVALID, str(error), errors=error.errors)
    after = request.headers.get("last-event-id") or request.query_params.get("after")
    hub = sink.hub
    try:
        position = Position.parse(after.strip()) if after else hub.newest()
    except ValueError:
        message = "is not the id of an entry, nor 0 for everything that is kept"
        return problem_response(Code.INVALID, f"after: {message}", errors=[{"field": "after", "message": message}])
    if hub.away:
        return redis_away()
    if hub.readers >= sink.settings.stream_clients_max:
        return problem_response(Code.TOO_MANY_READERS, "Too many live tails are open; close one and try again.")
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_events(hub, position, wanted), 200, headers, "text/event-stream")


async def _events(hub: Hub, position: Position, wanted: Filter) -> AsyncIterator[bytes]:
    with hub.reader():
        yield b"retry: %d\n\n" % _RECONNECT_MS
        reader = _Reader(hub, position, wanted)
        ends_at, ended = time.monotonic() + _STREAM_MAX_S, hub.ended_tails
        while not hub.closed and hub.ended_tails == ended and time.monotonic() < ends_at:
            changed = hub.changed()
            chunk = reader.chunk()
            if chunk:
                yield chunk
                await asyncio.sleep(_BETWEEN_CHUNKS_S)
            with suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), HEARTBEAT_S)


class _Reader:
    """The state of one live reader. It has no queue, so a slow reader costs nothing."""

    def __init__(self, hub: Hub, position: Position, wanted: Filter) -> None:
        self._hub = hub
        self._position = position
        self._wanted = wanted
        self._stats: Any = None
        self._beat_at = float("-inf")
        self._away = False

    def chunk(self) -> bytes:
        """Return the events to send now; empty if there are none."""
        parts: list[bytes] = []
        now = time.monotonic()
        if self._hub.away != self._away:
            self._away = self._hub.away
            self._beat_at = float("-inf")
        if self._away:
            if now - self._beat_at >= HEARTBEAT_S:
                self._beat_at = now
                parts.append(_event("away", {"detail": "The recorder's Redis does not answer; entries wait."}))
            return b"".join(parts)
        news = self._hub.news(self._position)
        if news.emptied:
            parts.append(_event("reset", {"since": (self._hub.stats or {}).get("since")}))
            self._position = Position(self._hub.epoch, 0)
        if news.missed:
            parts.append(_event("gap", {"missed": news.missed}))
        if self._position.epoch == 0:
            self._position = Position(self._hub.epoch, self._position.sequence)
        for kept in news.entries:
            self._position = Position(self._hub.epoch, kept.sequence)
            entry = kept.as_dict()
            if self._wanted.matches(entry):
                parts.append(b"id: %s\ndata: %s\n\n" % (kept.id.encode(), orjson.dumps(entry)))
        if self._hub.stats != self._stats or now - self._beat_at >= HEARTBEAT_S:
            self._stats, self._beat_at = self._hub.stats, now
            parts.append(_event("stats", self._stats))
        return b"".join(parts)


def _event(name: str, data: Any) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), orjson.dumps(data))
