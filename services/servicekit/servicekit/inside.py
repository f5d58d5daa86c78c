"""The internal secret, with which Caddy and the services authenticate each other. Other users lack it."""

from __future__ import annotations

import codecs
import hmac
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from servicekit.codes import Code
from servicekit.problems import problem
from servicekit.rotating import RotatingSecret, Value

OPEN_PATHS = frozenset(
    f"{service}/health{live}" for service in ("", "/data-processor", "/logs") for live in ("", "/live")
)
"""The health calls, which need no secret. Their answers hold nothing private."""
REFUSED = Code.FRONT_DOOR_ONLY.status


class InternalSecret:
    """The current content of the internal secret's file, and the second valid value during a rotation.

    Caddy reads the file for every request, so a new secret is valid as soon as it is written. This class reads it again
    when it has changed.
    """

    def __init__(self, file: Path) -> None:
        """Read the secret. Raises SecretError if the file is unusable."""
        self._secret = RotatingSecret(file)

    def current(self) -> bytes:
        """Return the secret, to send it to Caddy."""
        return self._secret.current().encode()

    def matches(self, shown: bytes | None) -> bool:
        """Return whether a request sent the secret."""
        if shown is None:
            return False
        # Caddy sends the whole file, including a byte order mark or white space that an editor added.
        shown = shown.removeprefix(codecs.BOM_UTF8).strip()
        return _is_among(shown, self._secret.recent()) or _is_among(shown, self._secret.accepted())

    def admits(self, path: str, shown: bytes | None) -> bool:
        """Return whether to serve a request for `path` that sent `shown`."""
        return self.matches(shown) or path in OPEN_PATHS


def _is_among(shown: bytes, values: Iterable[Value]) -> bool:
    return any(hmac.compare_digest(shown, value.text.encode()) for value in values)


def refusal() -> dict[str, Any]:
    """Return the problem document for a request that did not come through Caddy."""
    return problem(
        Code.FRONT_DOOR_ONLY,
        "this service answers only requests that come through Caddy: send the request to the front door, whose address "
        "./deploy-local.sh status shows",
    )
