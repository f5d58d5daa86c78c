"""Forks server processes from a main process that has imported all of their code.

They share its memory, and start in a moment. If each imported everything itself, they would take twice as much.

A fork has the memory of its main process, but not its threads. A lock that another thread holds at that moment is never
released there. So a server process uses nothing that threads of the main process use: it sets up its own logging and
opens its own connections. Python itself renews the locks of logging and of imports.
"""

from __future__ import annotations

import gc
import logging
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterable
from importlib import import_module

METHOD = "fork" if sys.platform == "linux" else "spawn"
"""Elsewhere, libraries of the system do not survive a fork."""


def prepare(modules: Iterable[str]) -> None:
    """Import `modules`, and make processes that are started from now on forks of this one."""
    for module in modules:
        import_module(module)
    multiprocessing.set_start_method(METHOD)
    # A collection would write to each object, and thereby copy the memory that is shared.
    gc.collect()
    gc.freeze()
    os.register_at_fork(after_in_child=_forget)


def _forget() -> None:
    """Drop what belongs to the main process: its handlers of signals and of log records."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    root = logging.getLogger()
    for handler in list(root.handlers):
        root.removeHandler(handler)
