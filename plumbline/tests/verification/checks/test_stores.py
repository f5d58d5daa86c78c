"""Each way in which Redis, and who may log in to Postgres, can differ from what is declared is found."""

from __future__ import annotations

import pytest

from plumbline import ROOT
from plumbline.verification.checks import postgres, redis_server

DECLARED = (ROOT / "docker/redis/redis.conf").read_text()
INFO = redis_server.STATE | {"server_time_usec": 100_000_000, "uptime_in_seconds": 60, "rdb_last_save_time": 40}


def test_the_declared_state_has_no_findings() -> None:
    assert [*redis_server.state(INFO)] == []
    assert [*redis_server.directives(DECLARED.splitlines())] == []
    assert [
        *postgres.authentication(["# a comment", "host all all ::1/128 scram-sha-256", ""], from_network=False)
    ] == []
    shared = ["local all postgres peer", "host  all all all  scram-sha-256"]
    assert [*postgres.authentication(shared, from_network=True)] == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"maxmemory": 0}, "redis: maxmemory is 0; expected 134217728"),
        ({"maxmemory_policy": "allkeys-lru"}, "redis: maxmemory_policy is allkeys-lru; expected noeviction"),
        ({"aof_enabled": 1}, "redis: aof_enabled is 1; expected 0"),
        ({"rdb_last_save_time": 70}, "redis: it saved to the disk 30 s after its start; expected never"),
    ],
)
def test_a_redis_in_another_state_is_found(change: dict[str, object], said: str) -> None:
    assert [*redis_server.state(INFO | change)] == [said]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('save ""', "save 60 1", 'save is 60 1; expected ""'),
        ('save ""\n', "", 'save is not set; expected ""'),
        ("appendonly no", "appendonly yes", "appendonly is yes; expected no"),
        (
            "dir /",
            "dir /\nloglevel debug",
            "loglevel is debug; expected no such line",
        ),
        (
            'rename-command CONFIG ""',
            "",
            "the command CONFIG exists; expected the file to remove it",
        ),
    ],
)
def test_a_redis_that_is_configured_otherwise_is_found(old: str, new: str, said: str) -> None:
    assert [*redis_server.directives(DECLARED.replace(old, new).splitlines())] == [f"redis: {said}"]


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("host all all 127.0.0.1/32 trust", "lets clients in by trust; expected scram-sha-256"),
        ("host all all 127.0.0.1/32 password", "lets clients in by password; expected scram-sha-256"),
        ("hostssl all all 127.0.0.1/32 cert map=x", "lets clients in by None; expected scram-sha-256"),
        ("local all all trust", "lets clients in by trust; expected peer"),
        ("host all all 0.0.0.0/0 scram-sha-256", "lets in 0.0.0.0/0; expected 127.0.0.1/32 and ::1/128"),
        ("include other.conf", "lets clients in by None; expected scram-sha-256"),
    ],
)
def test_a_rule_that_lets_others_in_is_found(rule: str, said: str) -> None:
    (finding,) = postgres.authentication([rule], from_network=False)
    assert said in finding
