"""Tell members what happened: stored with what it is about, and published over Redis without delaying a request."""

from __future__ import annotations

import dataclasses
import logging
import queue
import threading
from collections.abc import Mapping
from functools import cache, partial
from typing import Any

import redis
from django.db import transaction
from servicekit.events import TELL, Event, encode, stored_form
from servicekit.facts import EVENTS_CHANNEL
from servicekit.log.outage import Outage
from servicekit.redis_password import RedisPassword

from data_processor import config
from data_processor.database import statements

logger = logging.getLogger(__name__)

_QUEUE_SIZE = 1000
_TIMEOUT_S = 1.0

_starting = threading.Lock()


class Publisher:
    """A bounded queue and one thread that publishes from it. While Redis is away, events are dropped and counted."""

    def __init__(self, url: str, password: RedisPassword) -> None:
        self._client = redis.Redis.from_url(
            url, credential_provider=password, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S
        )
        self._queue: queue.Queue[Event] = queue.Queue(_QUEUE_SIZE)
        self._outage = Outage(logger, "Redis (sockets that miss a live event are closed)", level=logging.WARNING)
        threading.Thread(target=self._run, name="events", daemon=True).start()

    def publish(self, event: Event) -> None:
        """Queue an event and return at once."""
        try:
            self._queue.put_nowait(event)
        except queue.Full as error:
            self._outage.failed(error)

    def _run(self) -> None:
        while True:
            event = self._queue.get()
            try:
                self._client.publish(EVENTS_CHANNEL, encode(event))
            except redis.RedisError as error:
                self._outage.failed(error)
            except Exception:
                logger.exception("an event could not be published")
            else:
                self._outage.worked()


@cache
def _publisher() -> Publisher:
    settings = config.current()
    return Publisher(settings.redis_url, RedisPassword(settings.redis_password_file))


def publish(event: Event) -> None:
    """Publish an event through this process's publisher, which starts with the first event."""
    with _starting:
        publisher = _publisher()
    publisher.publish(event)


def tell(channel_id: int, frame: Mapping[str, Any]) -> None:
    """Store an event in the running transaction, if there is one, and publish it after the commit."""
    event = Event(channel_id, frame)
    (stored,) = statements.rows(TELL, {"events": stored_form([event])})
    transaction.on_commit(partial(publish, dataclasses.replace(event, id=stored["id"])))
