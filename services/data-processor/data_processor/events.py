"""Telling the backend's sockets what has been committed, over Redis, without ever keeping a request waiting."""

from __future__ import annotations

import logging
import queue
import threading
import time
from functools import cache

import redis
from servicekit.events import Event, encode
from servicekit.facts import EVENTS_CHANNEL

from data_processor import settings_typed

logger = logging.getLogger(__name__)

_QUEUE_SIZE = 1000
_TIMEOUT_S = 1.0
_WARN_EVERY_S = 30.0

_starting = threading.Lock()


class Publisher:
    """A bounded queue and one thread that publishes from it. While Redis is away, events are dropped and counted."""

    def __init__(self, url: str) -> None:
        self._client = redis.Redis.from_url(url, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S)
        self._queue: queue.Queue[Event] = queue.Queue(_QUEUE_SIZE)
        self._lost = 0
        self._warned_at = float("-inf")
        threading.Thread(target=self._run, name="events", daemon=True).start()

    def publish(self, event: Event) -> None:
        """Queue an event and return at once."""
        try:
            self._queue.put_nowait(event)
        except queue.Full:
            self._count_loss("the queue is full")

    def _run(self) -> None:
        while True:
            event = self._queue.get()
            try:
                self._client.publish(EVENTS_CHANNEL, encode(event))
            except redis.RedisError as error:
                self._count_loss(str(error))
            except Exception:
                logger.exception("an event could not be published")

    def _count_loss(self, reason: str) -> None:
        self._lost += 1
        now = time.monotonic()
        if now - self._warned_at >= _WARN_EVERY_S:
            self._warned_at = now
            logger.warning(
                "events are lost: Redis does not take them. Nothing stored is affected; pages show it when reloaded",
                extra={"fields": {"lost": self._lost, "reason": reason}},
            )
            self._lost = 0


@cache
def _publisher() -> Publisher:
    return Publisher(settings_typed.current().redis_url)


def publish(event: Event) -> None:
    """Announce an event through this process's publisher, which starts with the first event."""
    with _starting:
        publisher = _publisher()
    publisher.publish(event)
