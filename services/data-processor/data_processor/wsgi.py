"""The WSGI application, created in each worker process."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, cast

from servicekit import lifeline

from data_processor import config, process
from data_processor.web.slow_lane import threads
from data_processor.web.turns import Turns

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


def application() -> Application:
    """Return the WSGI application (granian calls this as a factory, in each worker)."""
    lifeline.end_with_parent()
    process.configure(forward=True)
    from django.core.handlers.wsgi import WSGIHandler
    from django.http import HttpResponse

    handler = WSGIHandler()
    turns = Turns(threads(config.current()))
    lifeline.beat_from_thread(turns.taken)

    def serve(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        with turns.one():
            response = handler(environ, start_response)
        if not isinstance(response, HttpResponse):
            return cast(Iterable[bytes], response)
        # Granian sends a list at once, and reads other iterables chunk by chunk in another thread.
        body = [response.content]
        response.close()
        return body

    return serve
