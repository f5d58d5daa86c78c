"""Puts the sink's own warnings into its buffer, without Caddy, and each text at most once a minute."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict

from servicekit.log.lines import level_of, raw_entry

from log_sink.buffer import Buffer, Cell

SERVICE = "log-sink"
REPEAT_S = 60.0
"""The same text is recorded once in this time. Repeats are counted as dropped; the next entry has their number."""
_TEXTS_MAX = 64


class SelfLogHandler(logging.Handler):
    """Records warnings and worse of this process. The ordinary handler writes them to standard error."""

    def __init__(self, buffer: Buffer) -> None:
        super().__init__(logging.WARNING)
        self._buffer = buffer
        self._seen: OrderedDict[tuple[str, str], tuple[float, int]] = OrderedDict()

    def forget(self) -> None:
        """Record every text again: Redis may have lost the earlier ones."""
        self._seen.clear()

    def emit(self, record: logging.LogRecord) -> None:
        """Record one record; a repeat within `REPEAT_S` is only counted."""
        try:
            cell = Cell(SERVICE, level_of(record.levelno))
            key = (record.name, str(record.msg))
            now = time.monotonic()
            recorded_at, repeats = self._seen.get(key, (float("-inf"), 0))
            if now - recorded_at < REPEAT_S:
                self._seen[key] = (recorded_at, repeats + 1)
                self._buffer.drop(cell, 1)
                return
            self._seen[key] = (now, 0)
            self._seen.move_to_end(key)
            while len(self._seen) > _TEXTS_MAX:
                self._seen.popitem(last=False)
            raw = raw_entry(record)
            if repeats:
                raw["fields"] = {**(raw["fields"] or {}), "collapsed": repeats}
            self._buffer.add([(cell, raw)])
        except Exception:
            self.handleError(record)
