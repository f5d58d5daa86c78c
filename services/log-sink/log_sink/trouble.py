"""The sink's own warnings go straight into its own buffer: never through Caddy, never twice in a row, never many."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict

from servicekit.log.lines import level_of, line_from

from log_sink.buffer import Buffer, Cell

SERVICE = "log-sink"
QUIET_S = 60.0
"""The same text is recorded once in this time; repeats are counted as dropped and told with the next one."""
_TEXTS_MAX = 64


class SelfLogHandler(logging.Handler):
    """Records warnings and worse of this process. Standard error gets every one of them from the ordinary handler."""

    def __init__(self, buffer: Buffer) -> None:
        super().__init__(logging.WARNING)
        self._buffer = buffer
        self._seen: OrderedDict[tuple[str, str], tuple[float, int]] = OrderedDict()

    def forget(self) -> None:
        """Tell everything anew: what was told may have gone with Redis's memory."""
        self._seen.clear()

    def emit(self, record: logging.LogRecord) -> None:
        """Record one; a repeat within `QUIET_S` is only counted."""
        try:
            cell = Cell(SERVICE, level_of(record.levelno))
            key = (record.name, str(record.msg))
            now = time.monotonic()
            told_at, repeats = self._seen.get(key, (float("-inf"), 0))
            if now - told_at < QUIET_S:
                self._seen[key] = (told_at, repeats + 1)
                self._buffer.drop(cell, 1)
                return
            self._seen[key] = (now, 0)
            self._seen.move_to_end(key)
            while len(self._seen) > _TEXTS_MAX:
                self._seen.popitem(last=False)
            self._buffer.add([(cell, line_from(record, SERVICE, repeats))])
        except Exception:
            self.handleError(record)
