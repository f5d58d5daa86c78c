"""Examples of answers in the OpenAPI document."""

from __future__ import annotations

from typing import Any

_THEN, _LATER = "2026-05-04T09:30:00Z", "2026-05-11T09:30:00Z"
_ADA = {"id": 1, "username": "ada", "display_name": "Ada", "is_operator": False}

OF_SCHEMAS: dict[str, dict[str, Any]] = {
    "User": _ADA,
    "Session": {"access_token": "eyJhbGciOi…", "token_type": "bearer", "expires_in": 43200, "user": _ADA},
    "Channel": {
        "id": 3, "name": "#invoices", "type": "public", "is_direct": False, "created_by": 1, "created_at": _THEN,
    },
    "Member": {"user_id": 1, "username": "ada", "display_name": "Ada", "joined_at": _THEN},
    "Message": {
        "id": 90, "content": "The invoices of May are here.", "image_url": None, "sender_id": 1, "username": "ada",
        "display_name": "Ada", "channel_id": 3, "timestamp": _THEN, "target_user_id": None,
    },
    "Invite": {
        "id": 4, "created_by": 1, "created_at": _THEN, "expires_at": _LATER, "used_by": None, "used_at": None,
    },
    "NewInvite": {"id": 4, "created_at": _THEN, "expires_at": _LATER, "code": "k7Qm2x9TzR4nVbC8yHd1sWfG"},
    # The form of a login, as the framework calls it.
    "Body_login_auth_login_post": {"username": "ada", "password": "a long passphrase of five words"},
}  # fmt: skip
"""An example of each schema, by its name in the document."""
