"""One route, the call that is made to it, and its floor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from servicekit.facts import INTERNAL_HEADER

from benchmarks.load.round import CONNECTIONS
from plumbline.verification.throwaway import INTERNAL_SECRET


@dataclass(frozen=True, slots=True)
class Call:
    """A request. `{n}` in path and body becomes the number of the call, `MARK` that of each request."""

    method: str
    path: str
    body: bytes = b""
    content_type: str = "application/json"
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()

    def render(self, token: str, number: int = 0) -> bytes:
        """Return the bytes of the request, as Caddy passes on that of a browser."""
        body = self.body.replace(b"{n}", b"%d" % number)
        head = (
            f"{self.method} {self.path.replace('{n}', str(number))} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Cookie: access_token={token}\r\nX-Request-Id: 0123456789abcdef0123456789abcdef\r\n"
            f"{INTERNAL_HEADER}: {INTERNAL_SECRET}\r\n"
        )
        head += "".join(f"{name}: {value}\r\n" for name, value in self.headers)
        if self.method == "POST":
            head += f"Content-Type: {self.content_type}\r\nContent-Length: {len(body)}\r\n"
        return head.encode() + b"\r\n" + body


@dataclass(frozen=True, slots=True)
class Case:
    """`call` is a request to `route` ("METHOD /path", as documented), `floor` the request to its floor.

    `work` names what both do. `items` is the number of items that a list answers. Calls take `numbers` in turns.
    """

    route: str
    work: str
    call: Call
    floor: Call
    items: int = 0
    numbers: Sequence[int] = (0,)
    connections: int = CONNECTIONS
