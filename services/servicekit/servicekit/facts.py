"""Facts that hold for every service, every target and every check. Each is defined here and imported elsewhere."""

from __future__ import annotations

VERSION = "0.2.0-dev"

POSTGRES_MAJOR = 16
DATABASE_NAME = "app_db"
DATABASE_USER = "app_user"
DATABASE_SCHEMA = "public"

LOG_STREAM = "logs:recent"
LOG_CAP = 200
"""The recorder keeps at most this many entries, at every instant."""
FAULTS_KEPT = 20
"""Of these, at most this many are faults of clients, and at most this many are failed requests."""
FAULTS_FOLDED_S = 60
"""For this long, faults of one kind are one entry with a count."""
LEVELS_KEPT = ("warning", "error", "critical")
ENTRY_MAX_BYTES = 16 * 1024
LOG_LINES_A_SECOND = 10
"""Warnings and errors in a process's own log, after a burst; the recorder is offered all of them."""
INGEST_MAX_BYTES = 4 * 1024 * 1024
"""Largest body of log entries, for Caddy as for the log-sink: a forwarder's largest batch, `LOG_CAP` entries, fits."""

EVENTS_CHANNEL = "plumbline:events"
"""Redis pub/sub channel on which committed changes are announced to every backend process."""

OPERATORS_KEY = "plumbline:operators"
"""Number in Redis that is raised when an operator's session may have ended. The recorder then ends its live tails:
their readers come back, and their sessions are checked again."""

MIGRATION_LOCK_KEY = 0x706C756D62
"""Session advisory lock that both migration chains take ("plumb" in ASCII)."""

REQUEST_ID_HEADER = "X-Request-Id"
INTERNAL_HEADER = "X-Plumbline-Internal"
"""Header with the secret that Caddy and the services share."""
DROPPED_HEADER = "Plumbline-Dropped"
"""The entries that a log forwarder discarded: `service;level=warning;count=7, …`."""
SUPERSEDED_HEADER = "Plumbline-Superseded"
"""In the same form, the entries that `LOG_CAP` newer ones of the forwarder replaced before they were sent."""
BATCH_HEADER = "Plumbline-Batch"
"""`<forwarder>-<number>`: a batch that is sent again because no answer came is counted once."""
SESSION_COOKIE = "access_token"
OPERATOR_USERNAME = "operator"
FRONT_PORT = 8080
FRONT_BODY_MAX_BYTES = 1_000_000
"""Largest request body that Caddy passes on to the backend."""
FRONT_UPLOAD_MAX_BYTES = 32_000_000
"""Largest request body that Caddy passes on to the data-processor."""

EXIT_FAILED = 1
EXIT_TEMPORARY = 75
"""The database is away or a lock was busy for too long: the same command may succeed later (sysexits' EX_TEMPFAIL)."""
EXIT_CONFIG = 78
"""A setting or a secret is missing or unusable: change it first (sysexits' EX_CONFIG)."""
