"""Logs an outage once, not for each failed request."""

from __future__ import annotations

import logging
import time


class Outage:
    """Tracks whether something that this process needs is away; logs when an outage begins, continues and ends.

    `pause_s` is how long after a failure `expected` stays true, so that callers can avoid trying.
    """

    def __init__(
        self, log: logging.Logger, what: str, *, level: int, pause_s: float = 1.0, repeat_s: float = 10.0
    ) -> None:
        self._log = log
        self._what = what
        self._level = level
        self._pause_s = pause_s
        self._repeat_s = repeat_s
        self._since: float | None = None
        self._failed_at = 0.0
        self._logged_at = 0.0
        self._failures = 0

    @property
    def on(self) -> bool:
        """Whether the last try failed."""
        return self._since is not None

    @property
    def expected(self) -> bool:
        """Whether the last try failed less than `pause_s` ago, so that another would probably fail, too."""
        return self._since is not None and time.monotonic() - self._failed_at < self._pause_s

    def failed(self, error: BaseException) -> None:
        """Note a try that failed."""
        now = time.monotonic()
        self._failed_at = now
        self._failures += 1
        if self._since is None:
            self._since = now
        elif now - self._logged_at < self._repeat_s:
            return
        self._logged_at = now
        reason = str(error).strip().splitlines()
        self._log.log(
            self._level,
            "%s is away: %s",
            self._what,
            reason[0] if reason else type(error).__name__,
            extra={"fields": {"away_s": round(now - self._since, 1), "failures": self._failures}},
        )

    def worked(self) -> None:
        """Note a try that worked."""
        if self._since is not None:
            self._log.info("%s is back after %.1f s", self._what, time.monotonic() - self._since)
            self._since, self._failures = None, 0
