"""The internal secret, with which Caddy and the services authenticate each other. Other users lack it."""

from __future__ import annotations

import codecs
import hmac
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from servicekit.codes import Code
from servicekit.problems import problem
from servicekit.secrets import SecretError, read_secret

OPEN_PATHS = frozenset(
    f"{service}/health{live}" for service in ("", "/data-processor", "/logs") for live in ("", "/live")
)
"""The health calls, which need no secret. Their answers hold nothing private."""
REFUSED = Code.FRONT_DOOR_ONLY.status


class InternalSecret:
    """The current content of the internal secret's file.

    Caddy reads the file for every request, so a new secret is valid as soon as it is written. This class reads the file
    again when a secret does not match.
    """

    def __init__(self, file: Path) -> None:
        """Read the secret. Raises SecretError if the file is unusable."""
        self._file = file
        self._lock = threading.Lock()
        self._seen = self._stamp()
        self._secret = read_secret(file).encode()

    def current(self) -> bytes:
        """Return the secret, to send it to Caddy."""
        self._renew()
        return self._secret

    def matches(self, shown: bytes | None) -> bool:
        """Return whether a request sent the secret."""
        if shown is None:
            return False
        if hmac.compare_digest(shown, self._secret):
            return True
        self._renew()
        # Caddy sends the whole file, including a byte order mark or white space that an editor added.
        return hmac.compare_digest(shown.removeprefix(codecs.BOM_UTF8).strip(), self._secret)

    def admits(self, path: str, shown: bytes | None) -> bool:
        """Return whether to serve a request for `path` that sent `shown`."""
        return self.matches(shown) or path in OPEN_PATHS

    def _renew(self) -> None:
        """Read the file if it has changed. While it holds no usable secret, the last one stays valid."""
        with self._lock:
            seen = self._stamp()
            if seen == self._seen:
                return
            with suppress(SecretError):
                self._secret = read_secret(self._file).encode()
                self._seen = seen

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            status = self._file.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_ino, status.st_size


def refusal() -> dict[str, Any]:
    """Return the problem document for a request that did not come through Caddy."""
    return problem(
        Code.FRONT_DOOR_ONLY,
        "this service answers only requests that come through Caddy: send the request to the front door, whose address "
        "./deploy-local.sh status shows",
    )
