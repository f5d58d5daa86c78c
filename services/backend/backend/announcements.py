"""Tells the running services what a command has changed."""

from __future__ import annotations

import logging

import redis
from redis.exceptions import RedisError
from servicekit.events import SEPARATOR, Event, encode
from servicekit.facts import EVENTS_CHANNEL, OPERATORS_KEY

from backend.settings import SERVICE, BackendSettings

log = logging.getLogger(__name__)

_TIMEOUT_S = 2.0


def announce(settings: BackendSettings, events: list[Event], *, of_operator: bool) -> None:
    """Publish events; `of_operator`: a session of an operator may have ended.

    Without Redis, the services notice by themselves that sessions have ended.
    """
    client = redis.Redis.from_url(
        settings.redis_url,
        password=settings.redis_password(),
        socket_timeout=_TIMEOUT_S,
        socket_connect_timeout=_TIMEOUT_S,
        client_name=SERVICE,
    )
    try:
        with client:
            client.publish(EVENTS_CHANNEL, SEPARATOR.join(map(encode, events)))
            if of_operator:
                client.incr(OPERATORS_KEY)
    except (RedisError, OSError) as error:
        log.warning("Redis was not told that sessions have ended (%s): they end within a minute", error)
