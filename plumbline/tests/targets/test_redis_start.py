"""docker/redis/redis.sh, run with the wheel's Redis and without a container."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from servicekit.facts import EVENTS_CHANNEL, LOG_STREAM

from plumbline import ROOT
from plumbline.net import free_port
from plumbline.stack import RedisAddress
from plumbline.targets.embedded import redis_server
from plumbline.verification.throwaway import REDIS_PASSWORD, RedisServer, unprivileged, wait_until

SCRIPT = ROOT / "docker" / "redis" / "redis.sh"
ADMINISTRATION = (
    "SAVE", "BGSAVE", "BGREWRITEAOF", "CONFIG SET dir /tmp", "CONFIG SET requirepass x", "CONFIG GET dir",
    "REPLICAOF 127.0.0.1 1", "SLAVEOF 127.0.0.1 1", "DEBUG RELOAD", "MODULE LOAD /tmp/x.so", "SHUTDOWN SAVE",
    "FLUSHALL", "FLUSHDB", "SWAPDB 0 1", "KEYS *", "SCAN 0", "RANDOMKEY", "MONITOR", "ACL LIST",
    "ACL SETUSER default nopass",
    "SCRIPT FLUSH", "SCRIPT KILL", "CLIENT LIST", "CLIENT KILL TYPE normal", "CLIENT PAUSE 1000", "SYNC", "PSYNC ? -1",
    "FAILOVER", "CLUSTER RESET", "SLOWLOG GET", "LATENCY RESET", "MIGRATE 127.0.0.1 1 x 0 1", "RESTORE logs:recent 0 x",
)  # fmt: skip
DISK = ("SAVE", "BGSAVE", "BGREWRITEAOF", "CONFIG SET dir /tmp", "SHUTDOWN SAVE", "DEBUG RELOAD", "SYNC", "PSYNC ? -1")
ELSEWHERE = (
    "GET other", "SET other 1", "DEL logs:other", "XADD other * a b", "PUBLISH other x", "SUBSCRIBE other",
    "PSUBSCRIBE *", "COPY logs:recent other", "RENAME logs:recent other",
)  # fmt: skip
NO_RIGHT = (redis.exceptions.NoPermissionError, redis.exceptions.ResponseError)


def refused(client: redis.Redis, command: str) -> str:
    with pytest.raises(NO_RIGHT) as caught:
        client.execute_command(*command.split())  # type: ignore[no-untyped-call]
    return str(caught.value)


@pytest.fixture
def services(redis_server: RedisServer) -> Iterator[redis.Redis]:
    """The services' connection to Redis."""
    with redis_server.address.connect(decode_responses=True) as client:
        yield client


@pytest.mark.parametrize("password", [None, "guessed"])
@pytest.mark.parametrize("command", ["PING", "SUBSCRIBE plumbline:events", "FLUSHALL", "CONFIG SET requirepass x"])
def test_unauthenticated_clients_can_do_nothing(redis_server: RedisServer, password: str | None, command: str) -> None:
    with (
        unprivileged(),
        redis.Redis.from_url(redis_server.url, password=password) as client,
        pytest.raises(redis.AuthenticationError),
    ):
        client.execute_command(*command.split())  # type: ignore[no-untyped-call]
    with socket.create_connection(("127.0.0.1", redis_server.port), 5) as raw:
        raw.sendall(f"{command}\r\n".encode())
        assert raw.recv(100).startswith((b"-NOAUTH ", b"-ERR unknown command"))


@pytest.mark.parametrize("command", [*ADMINISTRATION, *ELSEWHERE])
def test_services_do_not_administer_and_touch_nothing_else(services: redis.Redis, command: str) -> None:
    said = refused(services, command)
    assert re.search(r"(?i)no permissions|unknown command", said), said


@pytest.mark.parametrize("command", DISK)
def test_not_even_a_user_with_all_rights_gets_anything_to_disk(redis_server: RedisServer, command: str) -> None:
    with redis.Redis.from_url(redis_server.admin_url) as client:
        assert "unknown command" in refused(client, command)


def test_services_may_do_what_they_need(services: redis.Redis) -> None:
    script = ROOT / "services" / "log-sink" / "log_sink" / "recorder.lua"
    read = services.register_script(script.read_text())
    assert len(read(keys=[LOG_STREAM, f"{LOG_STREAM}:counters"], args=["read"])) == 3
    with services.pipeline(transaction=True) as pipe:
        pipe.set("plumbline:login:x", 0, ex=1, nx=True)
        pipe.incr("plumbline:login:x")
        pipe.pttl("plumbline:login:x")
        assert len(pipe.execute()) == 3
    with services.pubsub() as listener:
        listener.subscribe(EVENTS_CHANNEL)
        assert services.publish(EVENTS_CHANNEL, "x") >= 0
    assert services.info("persistence")["aof_enabled"] == 0


def test_a_planted_dump_is_not_loaded_and_none_is_written(tmp_path: Path) -> None:
    server = RedisServer(tmp_path)
    # A dump of another Redis, under every name that Redis might look for.
    for name in ("dump.rdb", "temp-1.rdb", "appendonly.aof"):
        (tmp_path / name).write_bytes(a_dump())
    before = {*tmp_path.iterdir()}
    server.start()
    try:
        with server.address.connect() as client:
            assert client.xlen(LOG_STREAM) == 0
            client.xadd(LOG_STREAM, {"entry": "kept in memory alone"})
        server.restart()
        with server.address.connect() as client:
            assert client.xlen(LOG_STREAM) == 0
    finally:
        server.stop()
    assert {*tmp_path.iterdir()} == before | {tmp_path / "redis.log", redis_server.keeper_file(tmp_path)}
    assert "loaded from disk" not in (tmp_path / "redis.log").read_text()


def a_dump() -> bytes:
    """Return a dump of a Redis without our configuration, with an entry in it."""
    program = redis_server.find()
    assert program is not None
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        process = subprocess.Popen(
            [str(program), "--port", str(port), "--bind", "127.0.0.1", "--dir", folder],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            address = RedisAddress(f"redis://127.0.0.1:{port}/0")
            wait_until(lambda: address.problem(1) is None, "it answers")
            with address.connect() as client:
                client.xadd(LOG_STREAM, {"entry": "forged"})
                client.save()
        finally:
            process.kill()
            process.wait()
        return (Path(folder) / "dump.rdb").read_bytes()


def test_the_password_shows_in_no_command_line_nor_environment(redis_server: RedisServer) -> None:
    for what in ("cmdline", "environ"):
        assert REDIS_PASSWORD.encode() not in Path(f"/proc/{redis_server.pid}/{what}").read_bytes()


@pytest.mark.parametrize(
    ("content", "said"), [(None, "is missing"), ("\n", "is empty"), ("a\nb", "has more than one line")]
)
def test_without_a_password_it_does_not_start(tmp_path: Path, content: str | None, said: str) -> None:
    file = tmp_path / "redis_password"
    if content is not None:
        file.write_text(content)
    environment = redis_server.environment(Path("/bin/true"), file, tmp_path)
    done = subprocess.run(["/bin/sh", str(SCRIPT)], env=environment, capture_output=True, text=True, timeout=20)
    assert done.returncode == 78
    assert f"secret file {file} {said}" in done.stderr


@pytest.mark.parametrize(
    "password", ["plain-enough", 'a "quoted" \\ one', "$(date) `date` 'x' ü", "\ufeff with-a-mark \r\n"]
)
def test_any_password_is_taken_and_told(tmp_path: Path, password: str) -> None:
    server = RedisServer(tmp_path)
    file = tmp_path / "redis_password"
    file.write_text(password, newline="")
    right = password.strip("\ufeff\r\n ")
    server.address = RedisAddress(f"redis://127.0.0.1:{server.port}/0", None)
    server.ready = lambda: _answers(server.port, right)  # type: ignore[method-assign]
    server.start()
    try:
        cli = redis_server.find().parent  # type: ignore[union-attr]
        told = tmp_path / "told.json"
        environment = {
            **redis_server.environment(Path("redis-server"), file, tmp_path),
            "PATH": f"{cli}:{os.defpath}",
            "PLUMBLINE_REDIS_URL": server.url,
        }
        subprocess.run(["/bin/sh", str(SCRIPT), "tell", str(told)], env=environment, check=True, timeout=20)
        assert json.loads(told.read_text()) == {server.url: right}
    finally:
        server.stop()


def _answers(port: int, password: str) -> bool:
    try:
        with redis.Redis(port=port, password=password) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False
