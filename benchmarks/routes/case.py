"""One route, the calls that are made to it, and its floor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import orjson
from servicekit.facts import INTERNAL_HEADER

from benchmarks.dataset import Connection
from plumbline.verification.throwaway import INTERNAL_SECRET

Values = Callable[[Connection, int], list[int]]
"""Given a number of calls, returns a number for each of them, making the rows that they stand for where necessary."""


_UPGRADE = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
)


@dataclass(frozen=True, slots=True)
class Call:
    """A request, or the handshake of a WebSocket (`upgrade`). `{n}` in path and body becomes a call's own number."""

    method: str
    path: str
    body: bytes = b""
    content_type: str = "application/json"
    status: int = 200
    upgrade: bool = False

    def render(self, token: str, number: int = 0) -> bytes:
        """Return the request as it goes over the wire: as a browser's after it has passed the front door."""
        body = self.body.replace(b"{n}", b"%d" % number)
        head = (
            f"{self.method} {self.path.replace('{n}', str(number))} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Cookie: access_token={token}\r\nX-Request-Id: 0123456789abcdef0123456789abcdef\r\n"
            f"{INTERNAL_HEADER}: {INTERNAL_SECRET}\r\n"
        )
        if self.upgrade:
            head += _UPGRADE
        if self.method in ("POST", "PUT", "PATCH"):
            head += f"Content-Type: {self.content_type}\r\nContent-Length: {len(body)}\r\n"
        return head.encode() + b"\r\n" + body


def json(value: object) -> bytes:
    """Return a JSON body. The text "{n}" in quotes stands for the number itself."""
    return orjson.dumps(value).replace(b'"{n}"', b"{n}")


@dataclass(frozen=True, slots=True)
class Case:
    """`route` (as "METHOD /path", in the words of the documentation) is called by `call`, its floor by `floor`.

    `work` says what both do. `items` is how many items the answer of a list holds. `values` gives each call a number of
    its own; without it all calls are the same. Over a WebSocket, `frame` is sent again and again.
    """

    route: str
    work: str
    call: Call
    floor: Call
    values: Values | None = None
    variant: str = ""
    items: int = 0
    frame: bytes = b""
    as_operator: bool = False
