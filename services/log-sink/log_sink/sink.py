"""Connects the parts of one sink, and starts and stops them in order."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from contextlib import suppress

from redis.exceptions import RedisError
from servicekit import stopping
from servicekit.accounts import FRESH_S
from servicekit.redis_password import RedisPassword

from log_sink.buffer import Buffer
from log_sink.hub import BLOCK_MS, Hub
from log_sink.intake import Intake
from log_sink.self_log import SelfLogHandler
from log_sink.senders import Senders
from log_sink.settings import LogSinkSettings
from log_sink.store import ANSWER_WITHIN_S, Store, connect
from log_sink.udp import UdpListener
from log_sink.writer import Writer

logger = logging.getLogger(__name__)

_COUNT_LOST_EVERY_S = 1.0
_GAP_REPORTED_S = 3.0
_LAST_WRITE_S = 2.0
_WATCH_SESSIONS_S = 1.0
_ANSWERED_S = 0.5
"""Longest time in which a service answers by a cached state of a session, after the state's own lifetime."""


class Sink:
    """Owns the listener, the buffer, the Redis clients and the background tasks."""

    def __init__(self, settings: LogSinkSettings) -> None:
        self.settings = settings
        self.buffer = Buffer()
        self.intake = Intake(self.buffer)
        self.senders = Senders()
        password = RedisPassword(settings.redis_password_file)
        self._redis = connect(settings.redis_url, password)
        # A blocking read occupies its connection, so it gets its own, with a longer timeout.
        self._tail_redis = connect(settings.redis_url, password, BLOCK_MS / 1000 + ANSWER_WITHIN_S)
        self.store = Store(self._redis)
        self._self_log = SelfLogHandler(self.buffer)
        self.hub = Hub(Store(self._tail_redis), on_new_epoch=self._self_log.forget)
        self._writer = Writer(self.buffer, self.store)
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False

    async def start(self) -> None:
        """Start listening and all tasks. Raises OSError if the ingest address is taken."""
        logging.getLogger().addHandler(self._self_log)
        secret = self.settings.internal_secret()
        self._udp = UdpListener(self.intake, secret, self.settings.ingest_host, self.settings.ingest_port)
        stopping.on_stop(self.hub.end_readers)
        self._udp.start()
        first_read = self.hub.changed()
        works = {
            "writer": self._writer.run(),
            "tail": self.hub.run(),
            "losses": self._count_losses(),
            "sessions": self._watch_sessions(),
        }
        for name, work in works.items():
            task = asyncio.create_task(work, name=name)
            task.add_done_callback(self._task_ended)
            self._tasks.append(task)
        # Read Redis before the first reader comes, but do not wait longer for a Redis that does not answer.
        with suppress(TimeoutError):
            await asyncio.wait_for(first_read.wait(), ANSWER_WITHIN_S)

    async def stop(self) -> None:
        """Stop receiving, write the rest within two seconds, and close everything."""
        self._stopping = True
        self.hub.close()
        self._udp.count_lost()
        self._udp.close()
        await stopping.end(self._tasks)
        logging.getLogger().removeHandler(self._self_log)
        try:
            await asyncio.wait_for(self._writer.finish(), _LAST_WRITE_S)
        except (RedisError, OSError, TimeoutError) as error:
            logger.warning("stopped while Redis was away (%s): the entries in memory are lost", error)
        for redis in (self._redis, self._tail_redis):
            with suppress(RedisError, OSError):
                await redis.aclose()

    async def _count_losses(self) -> None:
        first = True
        while True:
            with suppress(RedisError, OSError):
                gap_s = await self.store.note_listening()
                if first and gap_s is not None and gap_s > _GAP_REPORTED_S:
                    # Datagrams that no sink received cannot be counted, so only the interval is reported.
                    logger.warning(
                        "no sink received Caddy's log entries for %.0f s before this process started; "
                        "entries of that time are only in Caddy's own log",
                        gap_s,
                    )
                first = False
                await self.store.close_windows()
            await asyncio.sleep(_COUNT_LOST_EVERY_S)
            self._udp.count_lost()

    async def _watch_sessions(self) -> None:
        """End the live tails after an operator's session may have ended."""
        first = True
        seen: object = None
        while True:
            with suppress(RedisError, OSError):
                found = await self.store.operators()
                if not first and found != seen:
                    # Not at once: the services may still accept the session.
                    asyncio.get_running_loop().call_later(FRESH_S + _ANSWERED_S, self.hub.end_tails)
                first, seen = False, found
            await asyncio.sleep(_WATCH_SESSIONS_S)

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        if self._stopping or task.cancelled():
            return
        # The supervisor restarts it, which is better than a sink that only seems to work.
        logger.critical("the %s stopped working; this process ends", task.get_name(), exc_info=task.exception())
        os.kill(os.getpid(), signal.SIGTERM)
