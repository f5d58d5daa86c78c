"""A sink stops, even if one of its tasks misses a cancellation."""

from __future__ import annotations

import asyncio

import pytest
from log_sink.settings import LogSinkSettings
from log_sink.sink import Sink
from servicekit import stopping

from plumbline.net import free_port
from plumbline.verification.throwaway import RedisServer, misses_a_cancellation, shared_secrets


def test_a_sink_stops(redis_server: RedisServer, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "_AGAIN_S", 0.01)
    monkeypatch.setenv(stopping._FOLDER_VARIABLE, str(tmp_path))
    for name, value in shared_secrets(tmp_path).items():
        monkeypatch.setenv(name, value)

    async def main() -> None:
        sink = Sink(LogSinkSettings(port=free_port(), ingest_port=free_port(), redis_url=redis_server.url))
        async with asyncio.timeout(20):
            await sink.start()
            sink._tasks.append(asyncio.create_task(misses_a_cancellation()))
            await asyncio.sleep(0)
            await sink.stop()

    asyncio.run(main())
