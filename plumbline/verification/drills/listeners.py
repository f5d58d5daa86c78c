"""The listeners of a drill: sockets that resume after an event, and sockets that read the lists after a close."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import requests
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from plumbline.verification.drills.clients import Account
from plumbline.verification.drills.seen import Connection, Heard, Key

_PAUSE_S = 1.0
_OPEN_S = 10.0
_LOST = "lost"
_UNAUTHENTICATED = 401


class Listener:
    """One client that keeps a socket open, and knows what it has been told of one channel."""

    def __init__(self, account: Account, channel: int, run: str, *, resumes: bool) -> None:
        self.heard = Heard(channel, resumes)
        self.refused: Counter[str] = Counter()
        """Attempts to connect that failed, by status or kind of error."""
        self._account, self._run = account, run
        self._since = 0
        self._reading: set[asyncio.Task[None]] = set()

    @property
    def is_open(self) -> bool:
        """Whether it has a connection and has read what it had to read."""
        return bool(self.heard.connections and not self.heard.connections[-1].closed_with and not self._reading)

    async def run(self) -> None:
        """Connect again and again until cancelled."""
        url = f"{self._account.base_url.replace('http', 'ws', 1)}/ws/{self._account.id}"
        while True:
            wait_s = _PAUSE_S
            token = self._account.token
            try:
                async with connect(
                    f"{url}?since={self._since}" if self.heard.resumes else url,
                    additional_headers={"Authorization": f"Bearer {token}"},
                    proxy=None, open_timeout=_OPEN_S, close_timeout=_PAUSE_S,
                ) as socket:  # fmt: skip
                    await self._listen(socket)
            except InvalidStatus as error:
                response = error.response
                self.refused[str(response.status_code)] += 1
                wait_s = float(response.headers.get("Retry-After", _PAUSE_S))
                if response.status_code == _UNAUTHENTICATED:
                    with suppress(requests.RequestException):
                        await asyncio.to_thread(self._account.renew, token)
            except (OSError, InvalidHandshake, TimeoutError, EOFError) as error:
                self.refused[type(error).__name__] += 1
            await asyncio.sleep(wait_s)

    async def _listen(self, socket: ClientConnection) -> None:
        connection = Connection(time.monotonic())
        heard = self.heard
        # The last connection may have had a gap. Before it there is none, because the lists were read.
        gapless = heard.known - set(heard.connections[-1].got) if heard.connections else set()
        heard.connections.append(connection)
        if not heard.resumes:
            self._read_lists(gapless)
        try:
            async for text in socket:
                self._take(connection, json.loads(text))
        except ConnectionClosed:
            pass
        finally:
            connection.closed_with = str(socket.close_code) if socket.close_code not in (None, 1006) else _LOST
            connection.closed_at = time.monotonic()

    def _take(self, connection: Connection, frame: dict[str, Any]) -> None:
        if frame["type"] == "read_again":
            self.heard.read_again += self._since > 0  # it began without one
            self._since = frame["event_id"]
            self._read_lists(set())
            return
        if self.heard.resumes and "event_id" in frame:
            self.heard.out_of_order += frame["event_id"] <= self._since
            self._since = frame["event_id"]
        if (key := self._key(frame)) is not None:
            connection.got[key] += 1
            self.heard.known.add(key)

    def _key(self, frame: dict[str, Any]) -> Key | None:
        """Return what a frame is about, if this drill has written it to this channel."""
        if frame.get("channel_id") == self.heard.channel:
            if frame["type"] == "message" and str(frame["content"]).startswith(self._run):
                return "message", frame["id"]
            if frame["type"] == "document_uploaded" and frame["filename"].startswith(self._run):
                return "document", frame["document_id"]
        return None

    def _read_lists(self, gapless: set[Key]) -> None:
        """Read the lists down to what is known without a gap."""
        task = asyncio.create_task(asyncio.to_thread(self._read, gapless))
        self._reading.add(task)
        task.add_done_callback(self._reading.discard)

    def _read(self, gapless: set[Key]) -> None:
        channel = self.heard.channel
        messages = self._account.pages(f"/channels/{channel}/messages", limit=100)
        documents = self._account.pages("/data-processor/documents/", limit=100, channel_id=channel)
        for kind, mark, pages in (("message", "content", messages), ("document", "filename", documents)):
            floor = max((key[1] for key in gapless if key[0] == kind), default=0)
            for page in pages:
                self.heard.known |= {(kind, one["id"]) for one in page if str(one[mark]).startswith(self._run)}
                if page and min(one["id"] for one in page) <= floor:
                    break


class Audience:
    """All listeners of a drill, in a thread with an event loop of its own."""

    def __init__(self, listeners: Iterable[Listener]) -> None:
        self.listeners = list(listeners)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._begin(), self._loop).result()

    async def _begin(self) -> None:
        self._tasks = [asyncio.create_task(one.run()) for one in self.listeners]

    def stop(self) -> None:
        """Close all sockets."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def is_open(self) -> bool:
        """Whether every listener has a connection."""
        return all(one.is_open for one in self.listeners)
