"""Records once per start that the service is ready, when /health answers 200."""

from __future__ import annotations

import http.client
import json
import logging
import threading
import time

import psycopg
from servicekit.migrations import record_event

from data_processor import config
from data_processor.config import DataProcessorSettings

logger = logging.getLogger(__name__)

_EVERY_S = 0.1
_TIMEOUT_S = 3.0
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # listening address to reachable address


def announce(settings: DataProcessorSettings) -> None:
    """Poll /health in the background until it returns 200, then record that the service is ready."""
    threading.Thread(target=_run, args=(settings,), name="ready", daemon=True).start()


def _run(settings: DataProcessorSettings) -> None:
    while True:
        try:
            revision = _revision_if_ready(settings)
            if revision is not None:
                with psycopg.connect(settings.conninfo(config.SERVICE), autocommit=True) as conn:
                    record_event(conn, settings.stack_id, config.SERVICE, "ready", revision)
                return
        except (OSError, http.client.HTTPException, psycopg.Error, ValueError) as error:
            logger.debug("not ready yet", extra={"fields": {"reason": str(error)}})
        time.sleep(_EVERY_S)


def _revision_if_ready(settings: DataProcessorSettings) -> str | None:
    host = _WILDCARDS.get(settings.host, settings.host)
    connection = http.client.HTTPConnection(host, settings.port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", "/data-processor/health")
        response = connection.getresponse()
        body = json.loads(response.read())
    finally:
        connection.close()
    # A process of another stack on this port does not count.
    return body["schema_revision"] if response.status == 200 and body["stack_id"] == settings.stack_id else None
