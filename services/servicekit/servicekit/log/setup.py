"""Sets up the logging of one process."""

from __future__ import annotations

import atexit
import logging

from servicekit.inside import InternalSecret
from servicekit.log.forwarder import Forwarder
from servicekit.log.handler import JsonHandler


def configure_logging(
    service: str, level: str, forward_to: tuple[str, InternalSecret] | None = None
) -> Forwarder | None:
    """Make the root logger write JSON lines and, if `forward_to` is given, forward warnings to its URL with its secret.

    Call it once per process. Returns the forwarder; when the process ends, it sends the queued lines for at most one
    second.
    """
    forwarder = Forwarder(service, *forward_to) if forward_to else None
    root = logging.getLogger()
    for handler in list(root.handlers):
        root.removeHandler(handler)
    root.addHandler(JsonHandler(service, forwarder))
    root.setLevel(level.upper())
    logging.captureWarnings(True)
    if forwarder is not None:
        atexit.register(forwarder.close, 1.0)
    return forwarder
