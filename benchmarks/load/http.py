"""HTTP/1.1, as much as a load generator needs: a status, a length, a body."""

from __future__ import annotations

from benchmarks.load.round import LoadError
from benchmarks.load.run import Connection, Run

_END = b"\r\n\r\n"
_LENGTH = b"\r\ncontent-length:"
_SHOWN = 600


class HttpConnection(Connection):
    """One keep-alive connection."""

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._start = b"HTTP/1.1 %d" % run.task.status
        self._size: int | None = None

    def send_next(self) -> None:
        """Send the next request."""
        self._size = None
        super().send_next()

    def answer_size(self, received: bytearray) -> int | None:
        """Return head and body together."""
        if self._size is None:
            self._size = self._measured(received)
        return self._size

    def _measured(self, received: bytearray) -> int | None:
        end = received.find(_END)
        if end < 0:
            return None
        if not received.startswith(self._start):
            raise _wrong(f"{self._start.decode()} was wanted", received)
        head = bytes(received[: end + 2]).lower()
        at = head.find(_LENGTH)
        # 204 has neither body nor length; an answer without a length otherwise is one in chunks, which none of ours is.
        if at < 0 and self.run.task.status != 204:
            raise _wrong("an answer without Content-Length", received)
        length = int(head[at + len(_LENGTH) : head.index(b"\r\n", at + 2)]) if at >= 0 else 0
        if length < self.run.task.least:
            raise _wrong(f"a body of {self.run.task.least} bytes or more was wanted", received)
        return end + len(_END) + length


def _wrong(what: str, received: bytearray) -> LoadError:
    return LoadError(f"{what}; the answer begins: {bytes(received[:_SHOWN]).decode('utf-8', 'replace')}")
