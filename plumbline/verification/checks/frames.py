"""The frames that clients rely on. Checks compare sockets with them, and a test compares the AsyncAPI document."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from openapi_schema_validator import OAS31Validator

from plumbline import ROOT

DECLARED = ROOT / "docs" / "generated" / "asyncapi.json"
FIELDS: dict[str, set[str]] = {
    "message": {
        "type", "id", "content", "image_url", "sender_id", "username", "display_name", "channel_id", "timestamp",
        "target_user_id",
    },
    "join": {"type", "user_id", "username", "display_name", "channel_id", "channel_name"},
    "leave": {"type", "user_id", "username", "display_name", "channel_id", "channel_name"},
    "channel_renamed": {"type", "channel_id", "channel_name", "renamed_by"},
    "channel_deleted": {"type", "channel_id", "channel_name", "deleted_by"},
    "document_uploaded": {"type", "document_id", "channel_id", "uploaded_by", "filename", "thumbnail_url"},
    "ocr_progress": {"type", "document_id", "channel_id", "stage", "progress", "message"},
    "ocr_complete": {
        "type", "document_id", "channel_id", "text_status", "text_error", "detected_regions", "extracted_text",
    },
    "template_applied": {"type", "document_id", "channel_id", "template_id", "matched_regions", "confidence"},
    "batch_progress": {"type", "job_id", "channel_id", "status", "total", "done", "failed"},
    "pong": {"type", "timestamp", "payload"},
    "error": {"type", "code", "detail"},
    "read_again": {"type", "event_id"},
}  # fmt: skip
"""Fields of each type of frame that the stack makes itself, always."""
SOMETIMES = {"event_id", "idempotency_key"}
"""Fields of such frames on some sockets only: on those that resume, and on the sender's own."""
RELAYED = {"message", "typing"}
"""Types of frames that clients send to each other, with fields of their own."""


def declared() -> dict[str, Any]:
    """Return the AsyncAPI document."""
    return dict(json.loads(DECLARED.read_text("utf-8")))


@cache
def _validators() -> dict[str, OAS31Validator]:
    document = declared()
    found = {}
    for title, message in document["components"]["messages"].items():
        if title != "RelayedMessage":
            schema = {**message["payload"], "components": document["components"]}
            found[message["name"]] = OAS31Validator(schema)
    return found


def faults(frame: dict[str, Any]) -> list[str]:
    """Return what the AsyncAPI document forbids of a frame that a socket received."""
    kind = frame.get("type")
    if kind in RELAYED and "id" not in frame:
        return []
    validator = _validators().get(str(kind))
    if validator is None:
        return [f"the AsyncAPI document has no frame {kind!r}"]
    extra = sorted(frame.keys() - FIELDS.get(str(kind), set()) - SOMETIMES)
    return [*(error.message for error in validator.iter_errors(frame)), *(f"{name} is not described" for name in extra)]
