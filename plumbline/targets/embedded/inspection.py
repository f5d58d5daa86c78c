"""The processes of a stack on this machine, and their listeners."""

from __future__ import annotations

import contextlib
import os
import re
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import psutil

from plumbline.components import COMPONENTS
from plumbline.inside import Inside, Listener, Process
from plumbline.stack import Component

SUPERVISOR = "supervisor"
"""Name of processes that belong to no component: supervisord and the watch."""


def inside(
    components: Iterable[Component],
    supervisor: int | None,
    ports: Mapping[str, int],
    texts: Mapping[str, Sequence[str]],
) -> Inside:
    """Return the processes and listeners under the supervisor."""
    owners = {one.pid: one.name for one in components if one.pid}
    processes = []
    for component, process in _all(supervisor, owners):
        with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):  # it has ended
            environment: dict[str, str] = {}
            with contextlib.suppress(psutil.AccessDenied):  # of another account: only root can read it
                environment = process.environ()
            command = tuple(part for part in process.cmdline() if part)
            pid, uid = process.pid, process.uids().effective
            processes.append(Process(component, "", pid, process.ppid(), uid, command, environment, _umask(pid)))
    # If the caller is root, Postgres runs under another account, and all others run as root.
    may_be_root = frozenset({*COMPONENTS, SUPERVISOR} - {"postgres"}) if os.geteuid() == 0 else frozenset()
    by_pid = {one.pid: one.component for one in processes}
    unix_sockets = {
        (by_pid[one.pid], str(one.laddr))
        for one in psutil.net_connections("unix")
        if one.pid in by_pid and str(one.laddr).startswith("/")
    }
    return Inside(
        tuple(processes), frozenset(_listeners(by_pid)), ports, False, unix_sockets=frozenset(unix_sockets),
        may_be_root=may_be_root, texts=texts,
    )  # fmt: skip


def _umask(pid: int) -> str:
    """Return a process's umask, in octal; "" where there is no /proc."""
    with contextlib.suppress(OSError):
        found = re.search(r"^Umask:\s+(\d+)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
        return found[1] if found else ""
    return ""


def _all(supervisor: int | None, owners: Mapping[int, str]) -> Iterator[tuple[str, psutil.Process]]:
    roots = [supervisor] if supervisor else [*owners]
    for root in roots:
        with contextlib.suppress(psutil.NoSuchProcess):
            yield from _descendants(psutil.Process(root), owners.get(root, SUPERVISOR), owners)


def _descendants(
    process: psutil.Process, component: str, owners: Mapping[int, str]
) -> Iterator[tuple[str, psutil.Process]]:
    yield component, process
    with contextlib.suppress(psutil.NoSuchProcess):
        for child in process.children():
            yield from _descendants(child, owners.get(child.pid, component), owners)


def _listeners(components: Mapping[int, str]) -> Iterator[Listener]:
    for one in psutil.net_connections("inet"):
        bound = one.type == socket.SOCK_DGRAM and not one.raddr
        component = components.get(one.pid) if one.pid else None
        if component and one.laddr and (bound or one.status == psutil.CONN_LISTEN):
            yield Listener(component, "udp" if bound else "tcp", one.laddr.ip, one.laddr.port)
