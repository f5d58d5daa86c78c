"""What granian serves, made anew in each worker process."""

from __future__ import annotations

from typing import Any

from data_processor import process


def application() -> Any:
    """Return the WSGI application (granian calls this as a factory, after the fork)."""
    process.configure(forward=True)
    from django.core.handlers.wsgi import WSGIHandler

    return WSGIHandler()
