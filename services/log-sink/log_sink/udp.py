"""Receives Caddy's own log entries over UDP: one entry per datagram, with the internal secret in it."""

from __future__ import annotations

import asyncio
import re
import socket
import struct

import orjson
from servicekit.inside import InternalSecret

from log_sink import caddy
from log_sink.intake import Intake

_RECEIVE_BUFFER = 32 * 1024 * 1024
_DATAGRAM_MAX = 65535
_DATAGRAMS_A_TURN = 256
# Linux constants that the socket module does not name.
_SO_RCVBUFFORCE = 33
_SO_MEMINFO = 55
_MEMINFO = struct.Struct("=9I")
_MEMINFO_DROPS = 8
_KEY = re.compile(rb',"plumbline_key":("(?:[^"\\]|\\.)*")')
"""As the Caddyfile appends it. It cannot match inside another value, where quotation marks are escaped."""


def without_secret(datagram: bytes, secret: InternalSecret) -> bytes | None:
    """Return Caddy's entry without the secret; None without it, because any user of the machine can send datagrams."""
    found = _KEY.search(datagram)
    if found is None:
        return None
    try:
        shown = orjson.loads(found[1]).encode()
    except orjson.JSONDecodeError:
        return None
    return datagram[: found.start()] + datagram[found.end() :] if secret.matches(shown) else None


class UdpListener:
    """Reads Caddy's datagrams and counts those that the kernel discarded."""

    def __init__(self, intake: Intake, secret: InternalSecret, host: str, port: int) -> None:
        self._intake = intake
        self._secret = secret
        self._socket = _bind(host, port)
        _enlarge(self._socket)
        self._lost = 0

    def start(self) -> None:
        """Start reading, on the running loop."""
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._read)

    def close(self) -> None:
        """Read what has arrived, and stop."""
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        while self._read():
            pass
        self._socket.close()

    def count_lost(self) -> None:
        """Report datagrams that the kernel dropped since the last call because they came faster than they were read."""
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
        # Bounded, so that a flood does not block the event loop.
        datagrams: list[bytes] = []
        try:
            while len(datagrams) < _DATAGRAMS_A_TURN:
                datagrams.append(self._socket.recv(_DATAGRAM_MAX))
        except BlockingIOError:
            pass
        entries = [without_secret(datagram, self._secret) for datagram in datagrams]
        if foreign := entries.count(None):
            self._intake.refused(foreign)
        self._intake.feed(filter(None, entries), "udp")
        return len(datagrams) == _DATAGRAMS_A_TURN


def _bind(host: str, port: int) -> socket.socket:
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
        # Only root may exceed net.core.rmem_max; this size is limited to it.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
