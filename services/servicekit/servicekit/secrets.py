"""Secrets are files. This is the only place that reads them."""

from __future__ import annotations

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


class SecretError(ValueError):
    """A secret file is missing, unreadable or holds nothing usable. The message names the file, never its content."""


def read_secret(path: Path) -> str:
    """Return the secret in `path`, without the single line end that editors and `echo` leave behind.

    Raises SecretError if the file is missing, unreadable, not UTF-8, empty, shorter than 8 characters, more than one
    line, or a well-known placeholder.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SecretError(f"secret file {path} does not exist") from None
    except IsADirectoryError:
        raise SecretError(
            f"secret file {path} is a directory (a container engine makes one for a missing file)"
        ) from None
    except PermissionError:
        raise SecretError(f"secret file {path} cannot be read by this user: check its owner and mode") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SecretError(f"secret file {path} cannot be read: {error.__class__.__name__}") from None
    secret = text.removesuffix("\n")
    secret = secret.removesuffix("\r")
    if not secret.strip():
        raise SecretError(f"secret file {path} is empty")
    if "\n" in secret or "\r" in secret or "\0" in secret:
        raise SecretError(
            f"secret file {path} has more than one line: write the value alone, at most one line end after it"
        )
    if secret.strip().lower() in _PLACEHOLDERS:
        raise SecretError(f"secret file {path} holds a placeholder: put a real value there")
    if len(secret) < MIN_LENGTH:
        raise SecretError(f"secret file {path} holds fewer than {MIN_LENGTH} characters")
    return secret
