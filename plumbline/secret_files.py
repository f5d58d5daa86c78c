"""The stack's secret files: which there are, and how they come to be."""

from __future__ import annotations

import os
import secrets
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
                if path.stat().st_mode & 0o077 and not shared_with_containers:
                    found.append(f"secret file {path} can be read by others: chmod 600 {path}")
    return found


def generate(folder: Path) -> list[str]:
    """Create the missing secret files (mode 0600, no line end) and return their names."""
    created = []
    for name in SECRETS:
        path = folder / name
        if path.exists():
            continue
        # Written aside and linked into place: a command that is killed leaves no half a secret.
        partial = folder / f".{name}.partial"
        partial.unlink(missing_ok=True)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as handle:
            handle.write(secrets.token_urlsafe(32))
            handle.flush()
            os.fsync(handle.fileno())
        partial.rename(path)
        created.append(name)
    return created


def share_with_containers(folder: Path) -> None:
    """Let containers read the secrets, and nobody else.

    An engine mounts each file with its owner and mode, and the containers run under accounts of their own: so the files
    have to be readable by all, and the folder, which containers never see, keeps everybody else of this machine out.
    """
    folder.chmod(0o700)
    for name in SECRETS:
        if not (folder / name).is_symlink():  # what a link leads to is not ours to open
            (folder / name).chmod(0o444)
