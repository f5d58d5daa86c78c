"""Postgres and Redis away: clear answers in time, and recovery without a restart."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
import redis
import requests
from data_processor_testkit import samples
from data_processor_testkit.service import HEAD, Person, Service, refusal
from servicekit.events import decode
from servicekit.facts import EVENTS_CHANNEL

from plumbline.net import free_port
from plumbline.verification.throwaway import PostgresServer, RedisServer, wait_until

PROCESSES = 2
PATIENCE_S = 20.0
"""Much longer than any answer takes, and much shorter than a hanging connection."""


def _unavailable(person: Person, path: str = "templates/") -> None:
    response = person.call("GET", path)
    refusal(response, 503, "database_away")
    assert int(response.headers["Retry-After"]) > 0


def _wait_served(person: Person) -> None:
    # Enough consecutive answers that each server process has answered.
    def served() -> bool:
        return all(person.call("GET", "templates/", headers={"Connection": "close"}).ok for _ in range(10))

    wait_until(served, "requests are served again", PATIENCE_S)


class Stall:
    """Stops every process of Postgres: the kernel accepts connections, but no process answers."""

    def __init__(self, port: int) -> None:
        listening = psutil.net_connections("tcp4")
        (self._main,) = {c.pid for c in listening if c.laddr.port == port and c.status == psutil.CONN_LISTEN}
        self._stopped: list[psutil.Process] = []

    def begin(self) -> None:
        """Stop them, first the one that could start others."""
        main = psutil.Process(self._main)
        main.suspend()
        children = main.children(recursive=True)
        for child in children:
            child.suspend()
        self._stopped = [main, *children]

    def end(self) -> None:
        """Resume them."""
        for process in self._stopped:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()
        self._stopped = []


@pytest.fixture
def stall(postgres_server: PostgresServer) -> Iterator[Stall]:
    """Stalls Postgres, at most until the test ends."""
    stall = Stall(postgres_server.port)
    try:
        yield stall
    finally:
        stall.end()


def test_postgres_away_is_reported_until_it_is_back(
    service: Service, postgres_server: PostgresServer, person: Person, channel: int
) -> None:
    person.upload(channel, samples.image())
    began = time.monotonic()
    postgres_server.stop()
    try:
        wait_until(lambda: service.health().status_code == 503, "health notices")
        assert service.health().json()["reason"] == "the database does not answer"
        _unavailable(person)
        refusal(person.upload(channel, samples.image()), 503, "database_away")
        with ThreadPoolExecutor(16) as crowd:
            for _ in crowd.map(lambda _: _unavailable(person), range(64)):
                pass
    finally:
        postgres_server.start()
    _wait_served(person)
    assert person.upload(channel, samples.image()).status_code == 201
    away = service.wait_for_entries("the outage", message="Postgres is away")
    # Once per process and ten seconds, not per request.
    assert 1 <= len(away) <= PROCESSES * (2 + (time.monotonic() - began) / 10)
    assert all(entry["level"] == "error" for entry in away)


def test_a_restart_of_postgres_causes_at_most_one_refusal(
    service: Service, postgres_server: PostgresServer, person: Person
) -> None:
    postgres_server.restart()

    _wait_served(person)


def test_stalled_postgres_blocks_no_request_for_long(service: Service, stall: Stall, person: Person) -> None:
    assert person.get("templates/").status_code == 200
    stall.begin()
    # Both fail by their own timeouts if the service blocks them.
    _unavailable(person)
    wait_until(lambda: service.health().status_code == 503, "health notices", PATIENCE_S)
    stall.end()
    _wait_served(person)


def test_service_starts_before_postgres(
    migrated: Service, postgres_server: PostgresServer, redis_server: RedisServer, own_folder: Path
) -> None:
    early = Service(postgres_server, redis_server.url, own_folder, WORKERS=1, STACK_ID="early")
    postgres_server.stop()
    try:
        early.start()
        assert early.health().status_code == 503
    finally:
        postgres_server.start()
    try:
        early.wait_ready()
        ready = "SELECT component, detail FROM stack_events WHERE stack_id = 'early' AND event = 'ready'"
        wait_until(lambda: early.rows(ready) != [], "the start is recorded")
        assert early.rows(ready) == [("data-processor", HEAD)]
    finally:
        assert early.stop() == 0


def _workers(service: Service) -> list[psutil.Process]:
    return psutil.Process(service.pid).children()


def test_worker_that_dies_is_replaced_and_reported(
    migrated: Service, postgres_server: PostgresServer, redis_server: RedisServer, own_folder: Path
) -> None:
    service = Service(postgres_server, redis_server.url, own_folder, WORKERS=1)
    service.start()
    try:
        service.wait_ready()
        (worker,) = _workers(service)
        worker.kill()
        wait_until(lambda: _workers(service) not in ([], [worker]), "it is replaced")

        def served() -> bool:
            try:
                return service.health().status_code == 200
            except (requests.ConnectionError, requests.Timeout):
                return False

        wait_until(served, "the new one serves")
        (entry,) = service.wait_for_entries("the killed worker", message="Unexpected exit")
        assert (entry["level"], entry["service"]) == ("error", "data-processor")
    finally:
        assert service.stop() == 0


def test_upload_event_follows_the_commit(
    service: Service, redis_server: RedisServer, person: Person, channel: int
) -> None:
    with redis.Redis.from_url(redis_server.admin_url) as client, client.pubsub() as listener:
        listener.subscribe(EVENTS_CHANNEL)
        assert listener.get_message(timeout=PATIENCE_S) is not None
        document = person.upload(channel, samples.image(), "new.png").json()
        message = listener.get_message(timeout=PATIENCE_S)

    assert message is not None
    event = decode(message["data"])
    assert (event.channel_id, event.user_ids) == (channel, None)
    assert event.frame == {
        "type": "document_uploaded",
        "document_id": document["id"],
        "channel_id": channel,
        "uploaded_by": person.id,
        "filename": "new.png",
        "thumbnail_url": document["urls"]["thumbnail"],
    }


def test_redis_away_changes_nothing_for_uploads(
    migrated: Service, postgres_server: PostgresServer, own_folder: Path
) -> None:
    lonely = Service(postgres_server, f"redis://127.0.0.1:{free_port()}/0", own_folder, WORKERS=1)
    lonely.start()
    try:
        lonely.wait_ready()
        person = Person(lonely)
        channel = person.create_channel()
        for _ in range(5):
            assert person.upload(channel, samples.image()).status_code == 201

        def warnings() -> list[object]:
            return [entry for entry in lonely.entries() if entry["message"].startswith("Redis")]

        wait_until(lambda: warnings() != [], "the loss is logged")
        assert len(warnings()) == 1
    finally:
        lonely.stop()
