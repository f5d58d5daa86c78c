"""Configures a process: settings from the environment, logging, Django."""

from __future__ import annotations

import logging
import os
from multiprocessing import util

import django
from servicekit.log.setup import configure_logging

from data_processor import config

_FLUSH_S = 1.0


def configure(*, forward: bool, service: str = config.SERVICE) -> None:
    """Configure logging, under the name `service`, and Django.

    `forward` sends warnings to Caddy, from a thread that a fork would lose.
    """
    settings = config.current()
    forwarder = configure_logging(service, settings.log_level, settings.log_forwarding() if forward else None)
    if forwarder is not None:
        # Granian's workers end through multiprocessing, which skips atexit.
        util.Finalize(None, forwarder.close, args=(_FLUSH_S,), exitpriority=0)
    # Django logs every response from 400 up here. The service logs refusals itself, so only exceptions are kept.
    logging.getLogger("django.request").addFilter(lambda record: record.exc_info is not None)
    # The pool logs every attempt to reconnect; requests and /health already report the outage.
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
    module = "settings" if service == config.SERVICE else f"{service}_settings"
    os.environ["DJANGO_SETTINGS_MODULE"] = f"data_processor.{module}"
    django.setup()
