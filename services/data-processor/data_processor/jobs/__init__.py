"""Work that requests leave to workers: jobs in a queue (Procrastinate) in the service's own database.

A job is deferred in the transaction that stores what it is about, so that both are there or neither. `work` starts the
worker processes.
"""

from __future__ import annotations

from data_processor.jobs.deferring import defer_items, defer_reading

__all__ = ["defer_items", "defer_reading"]
