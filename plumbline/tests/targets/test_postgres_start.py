"""docker/postgres/start.sh, run with the wheel's Postgres and without a container."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from servicekit import facts

from plumbline import ROOT
from plumbline.net import free_port
from plumbline.targets.embedded import accounts, leftovers, postgres
from plumbline.verification.throwaway import wait_until

PASSWORD = "it's a password"
PATIENCE_S = 60

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def cluster(public_folder: Path) -> Iterator[postgres.Cluster]:
    """Where the script makes its cluster, on an empty volume."""
    account = accounts.for_postgres()
    volume = public_folder / "volume"
    volume.mkdir()
    account.own(volume)
    binaries, _ = postgres.place(public_folder, account, volume / "cluster")
    made = postgres.Cluster(binaries, volume / "cluster", account, free_port())
    made.install()
    yield made
    leftovers.end(leftovers.find([made.data], None))
    shutil.rmtree(postgres.private_place(public_folder), ignore_errors=True)


@pytest.fixture
def start(cluster: postgres.Cluster, public_folder: Path) -> Start:
    """Start the script with arguments, and return its process once Postgres answers."""
    script, secret = public_folder / "start.sh", public_folder / "password"
    shutil.copy(ROOT / "docker" / "postgres" / "start.sh", script)
    secret.write_text(PASSWORD)
    secret.chmod(0o644)
    environment = {
        "PATH": f"{cluster.binaries}:{os.defpath}",
        "PGDATA": str(cluster.data),
        "PLUMBLINE_POSTGRES_USER": facts.DATABASE_USER,
        "PLUMBLINE_POSTGRES_DB": facts.DATABASE_NAME,
        "PLUMBLINE_POSTGRES_PASSWORD_FILE": str(secret),
    }

    def run(*arguments: str) -> subprocess.Popen[bytes]:
        # After the script's own, so that these count.
        here = ("listen_addresses=127.0.0.1", f"port={cluster.port}", f"unix_socket_directories={cluster.data.parent}")
        options = [word for one in here for word in ("-c", one)]
        process = subprocess.Popen(
            ["bash", str(script), *options, *arguments], env=environment, cwd="/", **cluster.account.popen_arguments()
        )
        wait_until(lambda: process.poll() is not None or cluster.probe(PASSWORD) is None, "Postgres", PATIENCE_S)
        assert process.poll() is None, "it has ended; its output is above"
        return process

    return run


def stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE_S) == 0


def test_arguments_reach_the_server(cluster: postgres.Cluster, start: Start) -> None:
    process = start("-c", "max_connections=42")
    with psycopg.connect(cluster.conninfo(PASSWORD)) as connection:
        assert connection.execute("SHOW max_connections").fetchone() == ("42",)
    stop(process)


def test_it_starts_again_after_it_was_killed(cluster: postgres.Cluster, start: Start) -> None:
    stop(start())
    # As in a new container: the number in the lock is that of a process of the same user that is no Postgres.
    other = subprocess.Popen(["sleep", "600"], **cluster.account.popen_arguments())
    try:
        lock = cluster.data / "postmaster.pid"
        lock.write_text(f"{other.pid}\n{cluster.data}\n")
        cluster.account.own(lock)
        stop(start())
    finally:
        other.kill()
        other.wait()
