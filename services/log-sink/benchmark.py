"""How many entries a second one sink takes in over the line protocol, next to a plain one that sends one XADD a line.

`python services/log-sink/benchmark.py [entries]`, with the repository, services/servicekit and services/log-sink on
PYTHONPATH. Sender and Redis share the machine's other cores; the sink has one to itself.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import redis
import redis.asyncio
import requests
from servicekit.facts import LOG_CAP, LOG_STREAM

from plumbline.net import free_port
from plumbline.testing import RedisServer, wait_until

ACCESS_ENTRY = {
    "level": "error",
    "ts": 1763845137.123456,
    "logger": "http.log.access",
    "msg": "handled request",
    "request": {
        "remote_ip": "127.0.0.1",
        "remote_port": "54321",
        "client_ip": "127.0.0.1",
        "proto": "HTTP/1.1",
        "method": "GET",
        "host": "127.0.0.1:8080",
        "uri": "/channels/?before=1234&limit=50",
    },
    "bytes_read": 0,
    "duration": 0.000123,
    "size": 312,
    "status": 502,
    "request_id": "3f1c3f6c-9d8b-4b61-9f13-2d4d9ba1a1f0",
    "error": "dial tcp 127.0.0.1:9001: connect: connection refused",
}
PLAIN_SHARE = 50
"""The plain sink gets so many times fewer entries, or nobody would wait for it."""


def main() -> None:
    """Measure both and print one line each."""
    if sys.argv[1:2] == ["--plain"]:
        asyncio.run(plain_sink(sys.argv[2], int(sys.argv[3])))
        return
    count = int(sys.argv[1]) if sys.argv[1:] else 1_000_000
    line = json.dumps(ACCESS_ENTRY).encode() + b"\n"
    folder = Path(tempfile.mkdtemp(prefix="plumbline-bench-"))
    server = RedisServer(folder)
    server.start()
    try:
        print(f"{'sink':<24}{'entries':>10}{'seconds':>9}{'entries/s':>11}{'µs CPU/entry':>14}{'longest':>9}")
        for name, share, measure in (("log-sink", 1, the_sink), ("one XADD a line", PLAIN_SHARE, the_plain_one)):
            seconds, cpu, longest = measure(server, line, count // share)
            sent = count // share
            print(f"{name:<24}{sent:>10}{seconds:>9.2f}{sent / seconds:>11,.0f}{cpu / sent * 1e6:>14.2f}{longest:>9}")
    finally:
        server.stop()


def the_sink(server: RedisServer, line: bytes, count: int) -> tuple[float, float, int]:
    """Return seconds, CPU seconds of the sink and the longest stream seen."""
    port, ingest = free_port(), free_port()
    url = f"http://127.0.0.1:{port}/logs"
    settings = {"PORT": port, "INGEST_PORT": ingest, "REDIS_URL": server.url}
    environment = os.environ | {f"PLUMBLINE_{name}": str(value) for name, value in settings.items()}

    def ready() -> bool:
        try:
            return requests.get(f"{url}/health", timeout=2).ok
        except requests.ConnectionError:
            return False

    with redis.Redis.from_url(server.url) as client:

        def done() -> bool:
            return int(client.hget(f"{LOG_STREAM}:counters", "received|caddy|error") or 0) == count

        command = [sys.executable, "-m", "log_sink", "serve"]
        return run(command, environment, server, ingest, line, count, ready, done)


def the_plain_one(server: RedisServer, line: bytes, count: int) -> tuple[float, float, int]:
    """The same for a sink that sends each line on as it comes."""
    ingest = free_port()
    with redis.Redis.from_url(server.url) as client:
        client.flushdb()

        def ready() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", ingest)) == 0

        def done() -> bool:
            return int(client.get("plain:count") or 0) == count

        command = [sys.executable, __file__, "--plain", server.url, str(ingest)]
        return run(command, dict(os.environ), server, ingest, line, count, ready, done)


def run(
    command: list[str],
    environment: dict[str, str],
    server: RedisServer,
    ingest: int,
    line: bytes,
    count: int,
    ready: Callable[[], bool],
    done: Callable[[], bool],
) -> tuple[float, float, int]:
    """Start a sink on the last core, send `count` lines from the others, and wait until all are accounted for."""
    cores = sorted(os.sched_getaffinity(0))
    process = subprocess.Popen(command, env=environment, preexec_fn=lambda: os.sched_setaffinity(0, cores[-1:]))
    stop, longest = threading.Event(), [0]

    def sample() -> None:
        with redis.Redis.from_url(server.url) as client:
            while not stop.wait(0.001):
                longest[0] = max(longest[0], client.xlen(LOG_STREAM))

    sampler = threading.Thread(target=sample)
    try:
        wait_until(ready, "the sink listens")
        sampler.start()
        started, cpu = time.monotonic(), cpu_seconds(process.pid)
        with socket.create_connection(("127.0.0.1", ingest)) as sender:
            chunk, rest = divmod(count, 500)
            for _ in range(chunk):
                sender.sendall(line * 500)
            sender.sendall(line * rest)
        wait_until(done, "everything is accounted for", 300)
        seconds, cpu = time.monotonic() - started, cpu_seconds(process.pid) - cpu
    finally:
        stop.set()
        process.terminate()
        process.wait(15)
        if sampler.is_alive():
            sampler.join()
    return seconds, cpu, longest[0]


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process and its children so far."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK") + sum(cpu_seconds(int(child)) for child in children)


async def plain_sink(redis_url: str, port: int) -> None:
    """What one writes first: read a line, send an XADD, wait, read the next."""
    client = redis.asyncio.Redis.from_url(redis_url)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken = 0
        async for line in reader:
            await client.xadd(LOG_STREAM, {"entry": line.rstrip()}, maxlen=LOG_CAP, approximate=False)
            taken += 1
        await client.incrby("plain:count", taken)
        writer.close()

    await (await asyncio.start_server(serve, "127.0.0.1", port)).serve_forever()


if __name__ == "__main__":
    main()
