"""Compares the stack's Redis with the declared settings, by INFO and its file, because it has no CONFIG."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from plumbline import ROOT

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
_FILE = ROOT / "docker/redis/redis.conf"
DIRECTIVES = {
    "save": '""',
    "appendonly": "no",
    "dbfilename": '""',
    "dir": "/",
    "maxmemory": "128mb",
    "maxmemory-policy": "noeviction",
}
REMOVED = frozenset({
    "ACL", "BGREWRITEAOF", "BGSAVE", "CONFIG", "DEBUG", "MIGRATE", "MODULE", "PSYNC", "REPLICAOF", "SAVE", "SHUTDOWN",
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


def declared_file() -> list[str]:
    """Return the lines of the configuration file of Redis on every target."""
    return _FILE.read_text().splitlines()
