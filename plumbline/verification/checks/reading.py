"""Waits until the worker has read a document."""

from __future__ import annotations

from typing import Any

from plumbline.verification.checks.client import User
from plumbline.verification.throwaway import wait_for_value

READ_S = 120.0
"""Other documents may be read first, on a busy machine."""


def wait_until_read(user: User, document_id: int) -> dict[str, Any]:
    """Return a document of `user` once its text was read, or could not be."""
    found: dict[str, Any] = wait_for_value(
        lambda: user.get(f"/data-processor/documents/{document_id}/").expect(200),
        lambda document: document["text_status"] in ("done", "failed"),
        f"the worker reads document {document_id}",
        READ_S,
    )
    return found
