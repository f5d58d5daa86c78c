"""RFC 6455, as much as a load generator needs: a handshake, and short text frames both ways."""

from __future__ import annotations

import asyncio

from benchmarks.load.round import LoadError
from benchmarks.load.run import Connection, Run

_TEXT = 0x81
_SHORT, _MEDIUM = 125, 126


def text_frame(payload: bytes) -> bytes:
    """Return a client's text frame of at most 125 bytes. Its mask is zero: clients must mask, with whatever key."""
    if len(payload) > _SHORT:
        raise ValueError("the frame is too long for this generator")
    return bytes((_TEXT, 0x80 | len(payload))) + bytes(4) + payload


class SocketConnection(Connection):
    """One WebSocket; `opened` is done after the handshake."""

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade."""
        super().connection_made(transport)
        self.transport.write(self.run.task.opening)

    def data_received(self, data: bytes) -> None:
        """Finish the handshake, then take frames."""
        if self.opened.done():
            super().data_received(data)
            return
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return
        if not self._received.startswith(b"HTTP/1.1 101"):
            self.opened.set_exception(LoadError(f"no socket: {bytes(self._received[:300])!r}"))
            return
        del self._received[: end + 4]
        self.opened.set_result(None)

    def answer_size(self, received: bytearray) -> int | None:
        """Return the size of one frame."""
        if len(received) < 4:
            return None
        size = 2 + received[1]
        if received[1] == _MEDIUM:
            size = 4 + int.from_bytes(received[2:4], "big")
        if received[0] != _TEXT or received[1] > _MEDIUM or size < self.run.task.least:
            raise LoadError(f"a text frame was wanted; what came begins: {bytes(received[:300])!r}")
        return size
