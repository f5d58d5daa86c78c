"""Sets up the logging of one process."""

from __future__ import annotations

import atexit
import logging

from servicekit.inside import InternalSecret
from servicekit.log.forwarder import Forwarder
from servicekit.log.handler import JsonHandler, Logger


def configure_logging(
    service: str, level: str, forward_to: tuple[str, InternalSecret] | None = None
) -> Forwarder | None:
    """Make the root logger write JSON lines; return what forwards warnings to a URL under the internal secret, if any.

    Call it once a process. What is still queued is sent, for a second at most, when the process ends.
    """
    forwarder = Forwarder(service, *forward_to) if forward_to else None
    root = logging.getLogger()
    for handler in list(root.handlers):
        root.removeHandler(handler)
    root.addHandler(JsonHandler(service, forwarder))
    root.setLevel(level.upper())
    logging.captureWarnings(True)
    logging.setLoggerClass(Logger)
    for logger in root.manager.loggerDict.values():
        if type(logger) is logging.Logger:  # of a module that is imported already
            logger.__class__ = Logger
    # What no entry says need not be found out for every record.
    logging._srcfile = None  # noqa: SLF001  # as Python's logging HOWTO says
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    if forwarder is not None:
        atexit.register(forwarder.close, 1.0)
    return forwarder
