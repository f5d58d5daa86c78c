"""Secrets are files. This is the only place that reads them."""

from __future__ import annotations

import codecs
from pathlib import Path

_PLACEHOLDERS = frozenset(
    {
        "changeme",
        "change_me",
        "change-me",
        "changethis",
        "password",
        "secret",
        "postgres",
        "example",
        "placeholder",
        "todo",
        "xxx",
    }
)
MIN_LENGTH = 8
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_WHITE = " \t\n\r\v\f"


class SecretError(ValueError):
    """A secret file is missing, unreadable or holds nothing usable. The message names the file, never its content."""


def read_secret(path: Path) -> str:
    """Return the secret in `path`: its text without a byte order mark, and without white space at both ends.

    docker/postgres/start.sh reads by the same rule. Raises SecretError if the file is missing, unreadable, not UTF-8,
    empty, shorter than 8 characters, more than one line, or a well-known placeholder.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise SecretError(f"secret file {path} does not exist") from None
    except IsADirectoryError:
        raise SecretError(
            f"secret file {path} is a directory (a container engine makes one for a missing file)"
        ) from None
    except PermissionError:
        raise SecretError(f"secret file {path} cannot be read by this user: check its owner and mode") from None
    except OSError as error:
        raise SecretError(f"secret file {path} cannot be read: {error.__class__.__name__}") from None
    if raw.startswith(_UTF_16) or b"\0" in raw:
        raise SecretError(f"secret file {path} looks like UTF-16: save it as UTF-8")
    try:
        secret = raw.removeprefix(codecs.BOM_UTF8).decode().strip(_WHITE)
    except UnicodeDecodeError:
        raise SecretError(f"secret file {path} is not UTF-8 text: save it as UTF-8") from None
    if not secret:
        raise SecretError(f"secret file {path} is empty")
    if "\n" in secret or "\r" in secret:
        raise SecretError(f"secret file {path} has more than one line: write the value alone")
    if secret.lower() in _PLACEHOLDERS:
        raise SecretError(f"secret file {path} holds a placeholder: put a real value there")
    if len(secret) < MIN_LENGTH:
        raise SecretError(f"secret file {path} holds fewer than {MIN_LENGTH} characters")
    return secret
