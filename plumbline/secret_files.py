"""The stack's secret files: which there are, and how they come to be."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
from pathlib import Path

from servicekit.secrets import SecretError, read_secret

SECRETS: dict[str, str] = {
    "postgres_password": "password of the database role app_user",
    "token_secret": "key that signs session tokens",
    "operator_password": "password of the first operator, who may read the recorder",
    "redis_password": "password of Redis",
    "internal_secret": "secret by which Caddy and the services know each other",
}
"""Every secret: file name and what it is for."""
CONSEQUENCES = {
    "token_secret": "every session ends",
    "redis_password": "the recorder starts empty",
    "operator_password": "it is the operator's from now on",
}
"""What follows for people when a secret is replaced, where anything does."""
KEY = ".fingerprint-key"
"""The key of the fingerprints. It lies beside the secrets: only those who can read them could try out guesses."""


def problems(folder: Path, *, shared_with_containers: bool = False) -> list[str]:
    """Return what is wrong with the secret files that exist; those that do not will be generated."""
    if shared_with_containers and folder.exists() and folder.stat().st_mode & 0o077:
        return [f"the folder {folder} can be entered by others, and its files have to be readable: chmod 700 {folder}"]
    found = []
    for name in SECRETS:
        path = folder / name
        if os.path.lexists(path):
            if shared_with_containers and path.is_symlink():
                found.append(f"secret file {path} is a link, and containers have to read the file: put a copy there")
                continue
            try:
                read_secret(path)
            except SecretError as error:
                found.append(f"{error}. Put that right, or delete the file: a new secret is generated")
            else:
                if path.is_symlink() and not _is_tidy(path):
                    found.append(
                        f"secret file {path} is a link to one with characters of an editor around the secret: "
                        "write the value alone into that"
                    )
                if path.stat().st_mode & 0o077 and not shared_with_containers:
                    found.append(f"secret file {path} can be read by others: chmod 600 {path}")
    return found


def generate(folder: Path) -> list[str]:
    """Create the missing secret files (mode 0600, no line end) and return their names."""
    created = [name for name in SECRETS if not (folder / name).exists()]
    for name in created:
        _write(folder / name, secrets.token_urlsafe(32).encode())
    return created


def _write(path: Path, content: bytes) -> None:
    """Write a file of mode 0600 whole or not at all: a command that is killed leaves no half a secret."""
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())
    partial.rename(path)


def tidy(folder: Path) -> None:
    """Take off what an editor put around a secret, so that Caddy, which knows less, reads what all others read."""
    for name in SECRETS:
        path = folder / name
        before = path.stat()
        if not path.is_symlink() and not _is_tidy(path):
            _write(path, read_secret(path).encode())
            os.chown(path, before.st_uid, before.st_gid)
            path.chmod(stat.S_IMODE(before.st_mode))


def _is_tidy(path: Path) -> bool:
    return path.read_bytes() == read_secret(path).encode()


def fingerprints(folder: Path, *, make_key: bool = False) -> dict[str, str]:
    """Return for each secret what changes when it does, and tells nothing about it; nothing if one cannot be read.

    Keyed: from a plain hash a short password could be guessed.
    """
    place = folder / KEY
    if make_key and not place.exists():
        _write(place, secrets.token_bytes(32))
    try:
        key = place.read_bytes()
        return {
            name: hmac.new(key, f"{name}\0{read_secret(folder / name)}".encode(), hashlib.sha256).hexdigest()[:32]
            for name in SECRETS
        }
    except (OSError, SecretError):
        return {}


def share_with_containers(folder: Path) -> None:
    """Let containers read the secrets, and nobody else.

    An engine mounts each file with its owner and mode, and the containers run under accounts of their own: so the files
    have to be readable by all, and the folder, which containers never see, keeps everybody else of this machine out.
    """
    folder.chmod(0o700)
    for name in SECRETS:
        if not (folder / name).is_symlink():  # what a link leads to is not ours to open
            (folder / name).chmod(0o444)
