"""The body of /health of every service."""

from __future__ import annotations

from servicekit.facts import VERSION


def payload(
    service: str, stack_id: str, *, schema_revision: str | None = None, reason: str | None = None
) -> dict[str, str | None]:
    """Return the body of /health. A `reason` makes it the body of a 503."""
    body: dict[str, str | None] = {
        "service": service,
        "version": VERSION,
        "stack_id": stack_id,
        "status": "unavailable" if reason else "ok",
        "schema_revision": schema_revision,
    }
    if reason:
        body["reason"] = reason
    return body
