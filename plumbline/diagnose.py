"""Diagnostics bundles: state, logs and versions in one folder, without secrets."""

from __future__ import annotations

import contextlib
import json
import platform
import shutil
import sys
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from urllib.parse import quote

from servicekit import facts

from plumbline import home_files, secret_files
from plumbline.errors import PlumblineError
from plumbline.home import Home
from plumbline.targets.base import Target

MAX_BUNDLES = 10
_MASK = "[secret]"


def write_bundle(home: Home, target: Target, occasion: str, error: BaseException | None = None) -> Path:
    """Write a bundle for `occasion`, such as a step's name, and return its folder. Keeps the last ten."""
    now = datetime.now(UTC)
    folder = home.diagnostics / f"{now:%Y%m%dT%H%M%S.%f}-{occasion}"
    home.diagnostics.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700)
    files = {
        "occasion.txt": _occasion(occasion, now, error),
        "machine.txt": _machine(home),
        **_read("status.json", lambda: {"status.json": json.dumps(target.stack().as_json(), indent=2)}),
        **_read("target.txt", target.describe),
    }
    secret = secret_values(home)
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        for value in secret:
            text = text.replace(value, _MASK)
        path.write_text(text + "\n", encoding="utf-8", errors="replace")
    for old in sorted(home.diagnostics.glob(home_files.BUNDLES))[:-MAX_BUNDLES]:
        shutil.rmtree(old, ignore_errors=True)
    return folder


def _read(name: str, read: Callable[[], dict[str, str]]) -> dict[str, str]:
    """Return the files from `read`; if it fails, `name` with the reason."""
    try:
        return read()
    except PlumblineError as error:
        return {name: f"not available: {error}"}


def _occasion(occasion: str, now: datetime, error: BaseException | None) -> str:
    trace = "".join(traceback.format_exception(error)) if error else ""
    return f"{occasion}\n{now.isoformat()}\nPlumbline {facts.VERSION}\n\n{trace}"


def _machine(home: Home) -> str:
    disk = shutil.disk_usage(home.root)
    packages = sorted(f"{one.metadata['Name']}=={one.version}" for one in metadata.distributions())
    lines = [
        f"system  {platform.platform()}",
        f"python  {sys.version.split()[0]} at {sys.executable}",
        f"disk    {disk.free >> 20} MiB free of {disk.total >> 20} MiB at {home.root}",
        "packages",
        *(f"  {package}" for package in packages),
    ]
    return "\n".join(lines)


def secret_values(home: Home) -> list[str]:
    """Return every secret of a stack as it is, JSON-encoded and URL-encoded, to mask it in case a log contains it.

    The longest come first, because one may contain another.
    """
    values: set[str] = set()
    for name in secret_files.readable_by(secret_files.SECRETS):
        with contextlib.suppress(OSError, IndexError):  # unreadable or empty, so not in our output either
            value = (home.secrets / name).read_text(errors="replace").strip().splitlines()[0]
            values |= {value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], quote(value, "")}
    return sorted(values - {""}, key=len, reverse=True)
