"""Compares the stack's Redis with the declared settings, by INFO, its file and its refusals: it has no CONFIG."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import redis

STATE = {
    "maxmemory": 128 * 1024 * 1024,
    "maxmemory_policy": "noeviction",
    "aof_enabled": 0,
    "rdb_bgsave_in_progress": 0,
    "rdb_last_bgsave_time_sec": -1,
    "role": "master",
    "connected_slaves": 0,
}
"""Expected values of INFO; the last save took -1 seconds if there never was one."""
DIRECTIVES = {
    "save": '""',
    "appendonly": "no",
    "dbfilename": '""',
    "dir": "/",
    "maxmemory": "128mb",
    "maxmemory-policy": "noeviction",
}
FOREIGN = "plumbline-check-of-others"
"""A key and a channel that belong to none of our components."""
REMOVED = frozenset({
    "BGREWRITEAOF", "BGSAVE", "CONFIG", "DEBUG", "MIGRATE", "MODULE", "PSYNC", "REPLICAOF", "SAVE", "SHUTDOWN",
    "SLAVEOF", "SYNC",
})  # fmt: skip


def state(info: Mapping[str, Any]) -> Iterator[str]:
    """Find values of the running server that are not declared."""
    for name, expected in STATE.items():
        found = info.get(name)
        if found != expected:
            yield f"redis: {name} is {found}; expected {expected}"
    started = info["server_time_usec"] / 1e6 - info["uptime_in_seconds"]
    after = info["rdb_last_save_time"] - started
    if after > 2:
        yield f"redis: it saved to the disk {after:.0f} s after its start; expected never"


def directives(text: Iterable[str]) -> Iterator[str]:
    """Find directives of the configuration file that are not declared, and commands that it does not remove."""
    lines = [line.split(None, 1) for line in text if line.strip() and not line.startswith("#")]
    found: dict[str, list[str]] = {}
    for name, *value in lines:
        found.setdefault(name, []).append(" ".join(value).strip())
    removed = {one.split()[0] for one in found.pop("rename-command", []) if one.endswith('""')}
    for name in sorted({*found, *DIRECTIVES}):
        expected = DIRECTIVES.get(name)
        if found.get(name) != ([expected] if expected else None):
            shown = ", ".join(found.get(name, [])) or "not set"
            yield f"redis: {name} is {shown}; expected {expected or 'no such line'}"
    for name in sorted(REMOVED - removed):
        yield f"redis: the command {name} exists; expected the file to remove it"


def commands(client: redis.Redis) -> Iterator[str]:
    """Find commands that the server knows, and must not. It is asked with an argument that none of them accepts."""
    for name in sorted(REMOVED):
        try:
            client.execute_command(name, "-", "-", "-", "-")  # type: ignore[no-untyped-call]
        except redis.ResponseError as error:
            if "unknown command" in str(error):
                continue
        yield f"redis: knows the command {name}; expected docker/redis/redis.conf to remove it"


def foreign_keys(client: redis.Redis) -> Iterator[str]:
    """Find that the services' user may read keys and hear channels of others."""
    for words in (("GET", FOREIGN), ("EXISTS", FOREIGN), ("SUBSCRIBE", FOREIGN)):
        try:
            client.execute_command(*words)  # type: ignore[no-untyped-call]
        except redis.exceptions.NoPermissionError:
            continue
        yield f"redis: the services' user may {' '.join(words)}; expected only the stack's own keys and channel"
