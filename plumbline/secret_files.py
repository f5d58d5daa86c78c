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
}
"""Every secret: file name and what it is for."""


def problems(folder: Path) -> list[str]:
    """Return what is wrong with the secret files that exist; those that do not will be generated."""
    found = []
    for name in SECRETS:
        path = folder / name
        if os.path.lexists(path):
            try:
                read_secret(path)
            except SecretError as error:
                found.append(f"{error}; or delete the file and a new secret is generated")
            else:
                if path.stat().st_mode & 0o077:
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
