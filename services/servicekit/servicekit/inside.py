"""The internal secret, by which Caddy and the services know each other. No other user of the machine has it."""

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
    """The internal secret as its file holds it now.

    Caddy reads the file for every request, so a renewed secret counts from the moment it is written: here it is read
    again when something does not match it.
    """

    def __init__(self, file: Path) -> None:
        """Read the secret. Raises SecretError if the file is unusable."""
        self._file = file
        self._lock = threading.Lock()
        self._seen = self._stamp()
        self._secret = read_secret(file).encode()

    def current(self) -> bytes:
        """Return the secret, to show it to Caddy."""
        self._renew()
        return self._secret

    def matches(self, shown: bytes | None) -> bool:
        """Say whether what a request has shown is the secret."""
        if shown is None:
            return False
        if hmac.compare_digest(shown, self._secret):
            return True
        self._renew()
        # Caddy shows all that is in the file, what an editor put around the secret included.
        return hmac.compare_digest(shown.removeprefix(codecs.BOM_UTF8).strip(), self._secret)

    def admits(self, path: str, shown: bytes | None) -> bool:
        """Say whether a request for `path` that has shown this is to be served."""
        return self.matches(shown) or path in OPEN_PATHS

    def _renew(self) -> None:
        """Read the file if it has changed. While it holds no secret, the last one counts."""
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
        "this is a part of the stack that answers Caddy alone: send the request to the front door, whose address "
        "./deploy-local.sh status shows",
    )
