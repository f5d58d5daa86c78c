"""The stack's secret files: their names, generation and checks."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
from collections.abc import Iterable
from pathlib import Path

from servicekit.rotating import ALSO
from servicekit.secrets import SecretError, read_secret

SECRETS: dict[str, str] = {
    "postgres_password": "password of the database role app_user",
    "token_secret": "key that signs session tokens",
    "operator_password": "password of the first operator, who may read the recorder",
    "redis_password": "password of Redis",
    "internal_secret": "secret that Caddy and the services share",
}
"""Every secret: file name and what it is for."""
OVERLAPPING: tuple[str, ...] = ("postgres_password", "token_secret", "internal_secret")
"""Secrets of which services know a second value during a rotation. It is in a file of its own, which is else empty."""
CONSEQUENCES = {
    "token_secret": "every session ends",
    "redis_password": "the recorder starts empty",
    "operator_password": "the operator has the new password, and has to log in again",
}
"""Effects of replacing a secret that users notice."""
KEY = ".fingerprint-key"
"""The key of the fingerprints. It is stored with the secrets, so only their readers can test guesses."""


def problems(folder: Path, *, shared_with_containers: bool = False) -> list[str]:
    """Return what is wrong with existing secret files; missing ones will be generated."""
    if shared_with_containers and folder.exists() and folder.stat().st_mode & 0o077:
        return [f"other users can read the files in {folder}: chmod 700 {folder}"]
    found = []
    for name in SECRETS:
        path = folder / name
        if os.path.lexists(path):
            if shared_with_containers and path.is_symlink():
                found.append(f"secret file {path} is a link, which containers cannot follow: replace it with a copy")
                continue
            try:
                read_secret(path)
            except SecretError as error:
                found.append(f"{error}. Fix it, or delete the file to generate a new secret")
            else:
                if path.is_symlink() and not _is_tidy(path):
                    found.append(
                        f"secret file {path} is a link to a file with white space or a byte order mark around the "
                        "secret: write only the value to that file"
                    )
                if path.stat().st_mode & 0o077 and not shared_with_containers:
                    found.append(f"secret file {path} can be read by others: chmod 600 {path}")
    return found


def new_value() -> str:
    """Return a new secret."""
    return secrets.token_urlsafe(32)


def also(name: str) -> str:
    """Return the name of the file with the second value of a secret."""
    return name + ALSO


def readable_by(names: Iterable[str]) -> list[str]:
    """Return the files that a component gets which reads these secrets."""
    return [file for name in names for file in ((name, also(name)) if name in OVERLAPPING else (name,))]


def generate(folder: Path) -> list[str]:
    """Create missing secret files (mode 0600, no line end) and return the names of the new secrets."""
    created = [name for name in SECRETS if not (folder / name).exists()]
    for name in created:
        write(folder / name, new_value().encode())
    for name in map(also, OVERLAPPING):
        if not (folder / name).exists():
            write(folder / name, b"")
    return created


def replace(path: Path, content: bytes, *, mounted: bool) -> None:
    """Replace the content of a file that running components read."""
    (write_in_place if mounted else write)(path, content)


def write_in_place(path: Path, content: bytes) -> None:
    """Replace the content of a file that containers mount: they would not see a new file of the same name."""
    path.chmod(0o644)  # its folder is closed to others
    descriptor = os.open(path, os.O_WRONLY)
    try:
        # One call, so that no reader finds a part: a shorter value is padded first, because readers ignore white space.
        os.pwrite(descriptor, content.ljust(os.fstat(descriptor).st_size), 0)
        os.ftruncate(descriptor, len(content))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
        path.chmod(0o444)


def write(path: Path, content: bytes) -> None:
    """Write a file of mode 0600 atomically."""
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())
    partial.rename(path)


def tidy(folder: Path) -> None:
    """Remove white space and byte order marks around secrets: Caddy reads the files unchanged."""
    for name in SECRETS:
        path = folder / name
        before = path.stat()
        if not path.is_symlink() and not _is_tidy(path):
            write(path, read_secret(path).encode())
            os.chown(path, before.st_uid, before.st_gid)
            path.chmod(stat.S_IMODE(before.st_mode))


def _is_tidy(path: Path) -> bool:
    return path.read_bytes() == read_secret(path).encode()


def fingerprints(folder: Path, *, make_key: bool = False) -> dict[str, str]:
    """Return a keyed hash of each secret; empty if one cannot be read. A plain hash would allow guessing."""
    key_file = folder / KEY
    if make_key and not key_file.exists():
        write(key_file, secrets.token_bytes(32))
    try:
        key = key_file.read_bytes()
        return {
            name: hmac.new(key, f"{name}\0{read_secret(folder / name)}".encode(), hashlib.sha256).hexdigest()[:32]
            for name in SECRETS
        }
    except (OSError, SecretError):
        return {}


def share_with_containers(folder: Path) -> None:
    """Make the secrets readable for containers, and not for other local users.

    Files are mounted with their mode, and containers use other accounts, so the files are readable for all. The folder,
    which is not mounted, is closed to others.
    """
    folder.chmod(0o700)
    for name in readable_by(SECRETS):
        if not (folder / name).is_symlink():  # never change the target of a link
            (folder / name).chmod(0o444)
