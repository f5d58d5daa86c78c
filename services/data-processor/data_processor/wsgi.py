"""What granian serves, made anew in each worker process."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, cast

from data_processor import process

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


def application() -> Application:
    """Return the WSGI application (granian calls this as a factory, in each worker)."""
    process.configure(forward=True)
    from django.core.handlers.wsgi import WSGIHandler

    handler = WSGIHandler()

    def serve(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        response = handler(environ, start_response)
        if response.streaming:
            return cast(Iterable[bytes], response)
        # A list goes out in one piece; anything else is asked for chunk after chunk, from another thread.
        body = [response.content]
        response.close()
        return body

    return serve
