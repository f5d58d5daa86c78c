"""Where Caddy's net writer ends: UDP, one entry a datagram, and TCP, one entry a line."""

from __future__ import annotations

import asyncio
import socket
import struct

from log_sink import caddy
from log_sink.intake import Intake

LINE_LIMIT = 1024 * 1024
"""Bytes of one line over TCP. A longer one is dropped and counted as unreadable."""
_RECEIVE_BUFFER = 32 * 1024 * 1024
_DATAGRAM_MAX = 65535
_DATAGRAMS_A_TURN = 256
# Linux constants that the socket module does not name.
_SO_RCVBUFFORCE = 33
_SO_MEMINFO = 55
_MEMINFO = struct.Struct("=9I")
_MEMINFO_DROPS = 8


class UdpListener:
    """Reads datagrams as they come and knows how many the kernel had to throw away."""

    def __init__(self, intake: Intake, host: str, port: int) -> None:
        self._intake = intake
        self._socket = _bound(host, port, socket.SOCK_DGRAM)
        _enlarge(self._socket)
        self._lost = 0

    def start(self) -> None:
        """Begin to read, on the running loop."""
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._read)

    def close(self) -> None:
        """Take in what has arrived, and stop."""
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        while self._read():
            pass
        self._socket.close()

    def count_lost(self) -> None:
        """Report what the kernel dropped since the last call, because datagrams came faster than they were read."""
        try:
            raw = self._socket.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size)
            total = _MEMINFO.unpack(raw)[_MEMINFO_DROPS]
        except (OSError, struct.error):
            return
        # The kernel's counter has 32 bits and wraps.
        lost, self._lost = (total - self._lost) % 2**32, total
        if lost:
            self._intake.lost(caddy.SERVICE, None, lost)

    def _read(self) -> bool:
        # Bounded, so that a flood does not keep the loop from anything else.
        datagrams: list[bytes] = []
        try:
            while len(datagrams) < _DATAGRAMS_A_TURN:
                datagrams.append(self._socket.recv(_DATAGRAM_MAX))
        except BlockingIOError:
            pass
        self._intake.feed((line for datagram in datagrams for line in datagram.splitlines()), "udp")
        return len(datagrams) == _DATAGRAMS_A_TURN


class LineProtocol(asyncio.Protocol):
    """One TCP connection of newline-separated entries."""

    def __init__(self, intake: Intake, open_transports: set[asyncio.BaseTransport]) -> None:
        self._intake = intake
        self._open = open_transports
        self._rest: list[bytes] = []
        self._rest_size = 0
        self._skipping = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the connection, so that shutting down can end it."""
        self._transport = transport
        self._open.add(transport)

    def data_received(self, data: bytes) -> None:
        """Hand over all complete lines and keep the rest."""
        end = data.rfind(b"\n")
        if end < 0:
            self._keep(data)
            return
        first, *lines = data[:end].split(b"\n")
        if self._skipping:
            self._skipping = False
        else:
            lines.insert(0, b"".join((*self._rest, first)))
        self._rest, self._rest_size = [], 0
        self._keep(data[end + 1 :])
        self._intake.feed(lines, "tcp")

    def connection_lost(self, error: Exception | None) -> None:
        """Take the last line even without its line end."""
        self._open.discard(self._transport)
        if self._rest:
            self._intake.feed([b"".join(self._rest)], "tcp")

    def _keep(self, data: bytes) -> None:
        if self._skipping or not data:
            return
        self._rest.append(data)
        self._rest_size += len(data)
        if self._rest_size > LINE_LIMIT:
            self._rest, self._rest_size, self._skipping = [], 0, True
            self._intake.bad(1, "tcp, a line beyond 1 MiB")


class TcpListener:
    """Accepts connections of the line protocol."""

    def __init__(self, intake: Intake, host: str, port: int) -> None:
        self._intake = intake
        self._socket = _bound(host, port, socket.SOCK_STREAM)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.BaseTransport] = set()

    async def start(self) -> None:
        """Begin to accept, on the running loop."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: LineProtocol(self._intake, self._open), sock=self._socket)

    def close(self) -> None:
        """Stop accepting and end what is open."""
        if self._server is not None:
            self._server.close()
        for transport in list(self._open):
            transport.close()


def _bound(host: str, port: int, kind: socket.SocketKind) -> socket.socket:
    family = socket.getaddrinfo(host, port, type=kind)[0][0]
    sock = socket.socket(family, kind)
    try:
        if kind is socket.SOCK_STREAM:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


def _enlarge(sock: socket.socket) -> None:
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BUFFER)
    except OSError:
        # Only root may go beyond net.core.rmem_max; everybody else gets that much.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
