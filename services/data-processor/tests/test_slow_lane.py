"""Slow bodies and files that decode slowly use some of a process's threads, never all of them."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
from data_processor.web.errors import BusyError
from data_processor.web.slow_lane import SlowLane
from data_processor_testkit import samples
from data_processor_testkit.service import Person, Service, refusal
from servicekit.facts import INTERNAL_HEADER

from plumbline.verification.throwaway import INTERNAL_SECRET, PostgresServer, RedisServer, through_caddy, wait_until

POOL = 3
CROWD = 4 * POOL
PATIENCE_S = 20


@pytest.fixture
def small(
    migrated: Service, postgres_server: PostgresServer, redis_server: RedisServer, own_folder: Path
) -> Iterator[Service]:
    """A service of one process with a limit of a minute per file."""
    service = Service(
        postgres_server, redis_server.url, own_folder, WORKERS=1, POOL_SIZE=POOL, DECODE_TIMEOUT_S=3 * PATIENCE_S
    )
    service.start()
    try:
        service.wait_ready()
        yield service
    finally:
        service.stop()


def _still_serves(service: Service, person: Person) -> None:
    assert service.health().status_code == 200
    assert through_caddy("GET", service.base + "health/live", timeout=PATIENCE_S).status_code == 200
    assert person.get("templates/").status_code == 200


@pytest.mark.parametrize(
    ("path", "content_type"), [("documents/", "multipart/form-data; boundary=b"), ("templates/", "application/json")]
)
def test_slow_bodies_leave_threads_for_others(small: Service, path: str, content_type: str) -> None:
    person = Person(small)
    head = (
        f"POST /data-processor/{path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {person.token}\r\n"
        f"{INTERNAL_HEADER}: {INTERNAL_SECRET}\r\nContent-Type: {content_type}\r\nContent-Length: 5000\r\n\r\n--b\r\n"
    )
    with ExitStack() as stack:
        crowd = [stack.enter_context(socket.create_connection(("127.0.0.1", small.port))) for _ in range(CROWD)]
        answered: dict[socket.socket, bytes] = {}
        for one in crowd:
            one.sendall(head.encode())
            one.settimeout(0.01)

        def some_are_refused() -> bool:
            for one in crowd:
                try:
                    answered.setdefault(one, one.recv(4096))
                except TimeoutError:
                    continue
            # The rest of two bodies at a time is read before their refusal.
            return len(answered) >= CROWD - POOL - 2

        wait_until(some_are_refused, "requests without a place are refused", PATIENCE_S)
        assert {answer.split(b"\r\n")[0] for answer in answered.values()} == {b"HTTP/1.1 429 Too Many Requests"}
        assert all(b"retry-after: " in answer and b"too_many_at_once" in answer for answer in answered.values())
        _still_serves(small, person)
        other = Person(small)
        assert other.upload(other.create_channel(), samples.image()).status_code == 201


def test_files_that_decode_slowly_leave_threads_for_others(small: Service) -> None:
    person = Person(small)
    channel = person.create_channel()
    decoders: list[psutil.Process] = []

    def both_decoders_run() -> bool:
        with ThreadPoolExecutor(POOL) as people:
            list(people.map(lambda _: person.upload(channel, samples.image()), range(POOL)))
        decoders[:] = [p for p in small.processes() if any("documents.files.child" in part for part in p.cmdline())]
        return len(decoders) == 2

    wait_until(both_decoders_run, "both decoders run", PATIENCE_S)
    for decoder in decoders:
        decoder.suspend()
    with ThreadPoolExecutor(CROWD) as people:
        uploads = [people.submit(Person.upload, person, channel, samples.image()) for _ in range(CROWD)]
        try:
            wait_until(
                lambda: sum(upload.done() for upload in uploads) >= CROWD - POOL,
                "requests without a place are refused",
                PATIENCE_S,
            )
            _still_serves(small, person)
        finally:
            for decoder in decoders:
                decoder.kill()
    for upload in uploads:
        response = upload.result()
        if response.status_code != 201:
            assert int(response.headers["Retry-After"]) > 0
            refusal(response, *((429, "too_many_at_once") if response.status_code == 429 else (503, "overloaded")))


def test_exports_hold_half_of_the_connections_at_most() -> None:
    lane = SlowLane(4, per_user=4, per_address=4)
    with ExitStack() as held:
        for user in (1, 2):
            held.enter_context(lane.place("exports", user, None))
        with pytest.raises(BusyError, match="too many exports"), lane.place("exports", 3, None, patience_s=0):
            pass
        with lane.place("uploads", 3, None, patience_s=0):
            pass
    with lane.place("exports", 3, None, patience_s=0):
        pass
