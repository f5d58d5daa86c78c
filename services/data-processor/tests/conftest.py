"""One data-processor per session, and users and documents for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from data_processor_testkit import samples
from data_processor_testkit.service import Person, Service

from plumbline.verification.throwaway import PostgresServer, RedisServer, throwaway_postgres, throwaway_redis


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A Postgres for these tests alone, which stop it."""
    with throwaway_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A Redis for these tests alone."""
    with throwaway_redis() as server:
        yield server


@pytest.fixture(scope="session")
def migrated(
    postgres_server: PostgresServer, redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Service:
    """A service that is not started, on a database whose schema is at head."""
    service = Service(postgres_server, redis_server.url, tmp_path_factory.mktemp("data-processor"))
    service.migrate()
    return service


@pytest.fixture(scope="session")
def service(migrated: Service) -> Iterator[Service]:
    """A service that is ready."""
    try:
        migrated.start()
        migrated.wait_ready()
        yield migrated
    finally:
        migrated.stop()


@pytest.fixture
def person(service: Service) -> Person:
    """A user."""
    return Person(service)


@pytest.fixture
def stranger(service: Service) -> Person:
    """A user who is in no channel."""
    return Person(service)


@pytest.fixture
def channel(person: Person) -> int:
    """A channel that `person` has created."""
    return person.create_channel()


@pytest.fixture
def document(person: Person, channel: int) -> dict[str, object]:
    """A PNG of 120 x 80 pixels in `channel`."""
    return dict(person.upload(channel, samples.image()).json())


@pytest.fixture
def own_folder(tmp_path: Path) -> Path:
    """A folder for services that a test starts itself."""
    folder = tmp_path / "service"
    folder.mkdir()
    return folder
