"""Processes and listening sockets of a stack's components."""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from plumbline.components import PORTS

SCRIPT = r"""
for folder in /proc/[0-9]*; do
  [ "${folder#/proc/}" = $$ ] && continue
  parent=$(sed -n 's/^PPid:\t//p' "$folder/status" 2>/dev/null)
  uid=$(sed -n 's/^Uid:\t\([0-9]*\).*/\1/p' "$folder/status" 2>/dev/null)
  command=$(base64 <"$folder/cmdline" 2>/dev/null | tr -d '\n')
  environment=$(base64 <"$folder/environ" 2>/dev/null | tr -d '\n')
  echo "process ${folder#/proc/} ${parent:-0} ${uid:--1} ${command:--} ${environment:--}"
done
for table in tcp tcp6 udp udp6; do
  [ -r /proc/net/$table ] && sed "s/^ */$table /" /proc/net/$table
done
if [ -r "${PGDATA:-}/pg_hba.conf" ]; then
  sed 's/^/text pg_hba.conf /' "$PGDATA/pg_hba.conf"
  pg_controldata 2>/dev/null | sed 's/^/text pg_controldata /'
fi
[ -x /usr/local/bin/caddy ] && echo "text caddy_version $(/usr/local/bin/caddy version)"
[ -r /opt/plumbline/redis.conf ] && sed 's/^/text redis.conf /' /opt/plumbline/redis.conf
exit 0
"""
"""Prints processes, sockets and settings of stores, of a container that has a shell, but no ps or ss."""
CADDY_VERSION = "caddy_version"
"""Name of the text that holds Caddy's version."""
CONTAINER_PORTS = {name: port.number for name, port in PORTS.items()}
"""Port name to number, in containers and pods."""
_LISTENS = {"tcp": "0A", "tcp6": "0A", "udp": "07", "udp6": "07"}
_RESOLVER = "127.0.0.11"
"""Address of the engine's DNS server in containers."""


@dataclass(frozen=True, slots=True)
class Process:
    """One process. `place` is the container or pod it runs in, "" for this machine; `umask` is "" if it is unknown."""

    component: str
    place: str
    pid: int
    parent: int
    uid: int
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(hash=False)
    umask: str = ""


@dataclass(frozen=True, slots=True)
class Listener:
    """One address on which a component listens."""

    component: str
    protocol: Literal["tcp", "udp"]
    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Inside:
    """Processes and sockets of a stack.

    `ports` holds the declared number of each named port. `isolated`: only the stack's network reaches the listeners.
    `published`: addresses of this machine that lead to them nevertheless. `unix_sockets`: component and path of each on
    this machine. `settings_elsewhere`: manifests also set settings. `secrets_shared`: containers with other accounts
    read the home's secret files. `may_be_root`: components that run under the deployer's account, which may be root.
    `texts`: the lines of files and reports: pg_hba.conf, pg_controldata and redis.conf of the stores, Caddy's version.
    """

    processes: tuple[Process, ...]
    listeners: frozenset[Listener]
    ports: Mapping[str, int]
    isolated: bool
    published: frozenset[Listener] = frozenset()
    unix_sockets: frozenset[tuple[str, str]] = frozenset()
    settings_elsewhere: bool = False
    secrets_shared: bool = False
    may_be_root: frozenset[str] = frozenset()
    texts: Mapping[str, Sequence[str]] = field(default_factory=dict, hash=False)


def read(component: str, place: str, output: str) -> tuple[list[Process], set[Listener], dict[str, list[str]]]:
    """Return processes, listeners and texts from the output of SCRIPT in a container."""
    processes: dict[int, Process] = {}
    listeners = set()
    texts: dict[str, list[str]] = {}
    for line in output.splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "process":
            pid, parent, uid, command, environment = rest.split()
            variables = dict(one.partition("=")[::2] for one in _texts(environment) if "=" in one)
            processes[int(pid)] = Process(component, place, int(pid), int(parent), int(uid), _texts(command), variables)
        elif kind == "text":
            name, _, text = rest.partition(" ")
            texts.setdefault(name, []).append(text)
        elif kind in _LISTENS:
            found = _listener(component, kind, rest.split())
            listeners |= {found} if found else set()
    return [one for one in processes.values() if _belongs(one, processes)], listeners, texts


def _belongs(process: Process, processes: Mapping[int, Process]) -> bool:
    """Return whether a process descends from the container's process 1; health checks and this script do not."""
    while process.pid != 1:
        if process.parent not in processes:
            return False
        process = processes[process.parent]
    return True


def _texts(encoded: str) -> tuple[str, ...]:
    raw = b"" if encoded == "-" else base64.b64decode(encoded)
    return tuple(part.decode(errors="replace") for part in raw.split(b"\0") if part)


def _listener(component: str, table: str, fields: list[str]) -> Listener | None:
    if len(fields) < 4 or fields[3] != _LISTENS[table]:
        return None
    host, _, port = fields[1].partition(":")
    # Each group of four bytes is in native byte order: little-endian on all platforms of our images.
    raw = b"".join(bytes.fromhex(host[at : at + 8])[::-1] for at in range(0, len(host), 8))
    address = str(ipaddress.ip_address(raw))
    if address == _RESOLVER:
        return None
    return Listener(component, "tcp" if table.startswith("tcp") else "udp", address, int(port, 16))
