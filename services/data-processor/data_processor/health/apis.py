"""Routes of health."""

from __future__ import annotations

from django.http import HttpResponse
from servicekit import health as shape
from servicekit.openapi import Health

from data_processor import config
from data_processor.health import selectors
from data_processor.web import errors
from data_processor.web.operations import JSON, json_response, operation


@operation(answers={200: {JSON: Health}, 503: {JSON: Health}})
def health() -> HttpResponse:
    """Return 200 if requests can be served, else 503 with the reason."""
    revision, reason = selectors.schema_state()
    stack_id = config.current().stack_id
    body = shape.payload(config.SERVICE, stack_id, schema_revision=revision, reason=reason)
    response = json_response(body, 503 if reason else 200)
    if reason:
        response.headers["Retry-After"] = str(errors.RETRY_AFTER_S)
    return response


@operation(answers={200: {JSON: Health}})
def live() -> HttpResponse:
    """Return 200 while the process is alive."""
    return json_response(shape.payload(config.SERVICE, config.current().stack_id))
