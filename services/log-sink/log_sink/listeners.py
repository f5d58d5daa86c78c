"""Where Caddy's net writer ends: UDP, one entry a datagram."""

from __future__ import annotations

import asyncio
import socket
import struct

from servicekit.inside import InternalSecret

from log_sink import caddy
from log_sink.intake import Intake
from log_sink.keys import opened

_RECEIVE_BUFFER = 32 * 1024 * 1024
_DATAGRAM_MAX = 65535
_DATAGRAMS_A_TURN = 256
# Linux constants that the socket module does not name.
_SO_RCVBUFFORCE = 33
_SO_MEMINFO = 55
_MEMINFO = struct.Struct("=9I")
_MEMINFO_DROPS = 8


class UdpListener:
    """Reads Caddy's datagrams as they come and knows how many the kernel had to throw away."""

    def __init__(self, intake: Intake, secret: InternalSecret, host: str, port: int) -> None:
        self._intake = intake
        self._secret = secret
        self._socket = _bound(host, port)
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
        entries = [opened(datagram, self._secret) for datagram in datagrams]
        if strangers := entries.count(None):
            self._intake.refused(strangers)
        self._intake.feed(filter(None, entries), "udp")
        return len(datagrams) == _DATAGRAMS_A_TURN


def _bound(host: str, port: int) -> socket.socket:
    family = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0][0]
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
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
