"""The recorder's JSON routes."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable

from redis.exceptions import RedisError
from servicekit import health
from servicekit.codes import Code
from servicekit.facts import BATCH_HEADER, DROPPED_HEADER, SUPERSEDED_HEADER
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from log_sink.filters import BadQueryError, parse_filter
from log_sink.responses import json_response, problem_response, redis_away
from log_sink.sink import Sink
from log_sink.store import why_unusable

logger = logging.getLogger(__name__)

_COUNT = re.compile(r"\s*(?P<service>[^;,\s]{1,64});\s*level=(?P<level>[a-z]{1,16});\s*count=(?P<count>\d{1,15})\s*")


def _sink(request: Request) -> Sink:
    sink: Sink = request.app.state.sink
    return sink


async def entries(request: Request) -> Response:
    """The kept entries, newest first: `{items, since}`; `?service=&level=&request_id=&q=&limit=`."""
    try:
        wanted = parse_filter(request.query_params.multi_items(), also=("limit",))
    except BadQueryError as error:
        return problem_response(Code.INVALID, str(error), errors=error.errors)
    try:
        counted, kept = await _sink(request).store.read()
    except (RedisError, OSError) as error:
        return _unreadable(error)
    items = [entry for entry in (item.as_dict() for item in kept) if wanted.matches(entry)]
    return json_response({"items": items[: wanted.limit], "since": counted.since})


async def stats(request: Request) -> Response:
    """`{since, received, kept, superseded, dropped, by_service, by_level}`; received is the sum of the other three."""
    try:
        return json_response((await _sink(request).store.stats()).as_dict())
    except (RedisError, OSError) as error:
        return _unreadable(error)


def _unreadable(error: Exception) -> Response:
    logger.error("the recorder could not be read: %s", why_unusable(error))
    return redis_away()


async def ready(request: Request) -> Response:
    """200 while entries can be written and read, else 503 with the reason."""
    try:
        await _sink(request).store.ping()
    except (RedisError, OSError) as error:
        reason = f"{why_unusable(error)}; the newest entries wait in memory"
        body = health.payload("log-sink", _sink(request).settings.stack_id, reason=reason)
        response = json_response(body, 503)
        response.headers["Retry-After"] = "1"
        return response
    return json_response(health.payload("log-sink", _sink(request).settings.stack_id))


async def live(request: Request) -> Response:
    """200 while the process lives."""
    return json_response(health.payload("log-sink", _sink(request).settings.stack_id))


async def ingest(request: Request) -> Response:
    """Receive NDJSON, one entry per line. 204 once it is in memory: senders do not wait for Redis."""
    sink = _sink(request)
    limit = sink.settings.ingest_body_max
    body, received = bytearray(), 0
    try:
        async for chunk in request.stream():
            received += len(chunk)
            if received <= limit:
                body += chunk
            elif received > 2 * limit:
                # Up to this size the rest is read and discarded, because a client that still sends misses the answer.
                break
    except ClientDisconnect:
        # A forwarder sends an incomplete body again, so accepting a part of it would show entries twice.
        return problem_response(Code.INCOMPLETE, "The body ended early.")
    if received > limit:
        return problem_response(Code.BODY_TOO_LARGE, f"Send at most {limit} bytes of log entries at a time.")
    if sink.senders.is_repeated(request.headers.get(BATCH_HEADER, "")):
        return Response(status_code=204)
    for name, count in ((DROPPED_HEADER, sink.intake.lost), (SUPERSEDED_HEADER, sink.intake.superseded)):
        _count(name, request.headers.get(name, ""), count)
    sink.intake.feed(bytes(body).split(b"\n"), "POST /ingest")
    return Response(status_code=204)


def _count(name: str, header: str, count: Callable[[str, str, int], None]) -> None:
    for part in header.split(",") if header else ():
        match = _COUNT.fullmatch(part)
        if match is None:
            fields = {"part": part[:200]}
            logger.warning("a log forwarder's %s header is unreadable", name, extra={"fields": fields})
        else:
            count(match["service"], match["level"], int(match["count"]))
