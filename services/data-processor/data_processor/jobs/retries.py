"""Which errors may pass, and when a job is tried again."""

from __future__ import annotations

import psycopg
import redis
from django.db import InterfaceError, OperationalError
from procrastinate import BaseRetryStrategy, RetryDecision
from procrastinate.jobs import Job

from data_processor.web.errors import BusyError, DatabaseAwayError

TRIES_MAX = 6
"""How often a job is started, also after its worker died: a file that kills its worker is not tried for ever."""
_FIRST_PAUSE_S = 2
_PAUSE_MAX_S = 300
_MAY_PASS = (
    OperationalError,
    InterfaceError,
    psycopg.OperationalError,
    psycopg.InterfaceError,
    redis.RedisError,
    BusyError,
    DatabaseAwayError,
    # A full disk, or no memory or process left.
    OSError,
    MemoryError,
)


def may_pass(error: BaseException) -> bool:
    """Return whether the same work may succeed later."""
    return isinstance(error, _MAY_PASS)


def is_last(job: Job) -> bool:
    """Return whether this is the last try of a job that is running."""
    return job.attempts + 1 >= TRIES_MAX


class Backoff(BaseRetryStrategy):
    """Tries again after a pause that doubles each time. Tasks do not raise what is not worth another try."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision:
        """Return when to try again."""
        del exception
        pause = min(_FIRST_PAUSE_S * 2 ** min(job.attempts, 10), _PAUSE_MAX_S)
        return RetryDecision(retry_in={"seconds": pause})
