"""docs/generated/asyncapi.json: the frames of the WebSocket, from the types of both services, in AsyncAPI 3."""

from __future__ import annotations

from typing import Any

from servicekit.facts import VERSION

from plumbline.verification.checks import contract
from plumbline.verification.docs.pages import openapi
from plumbline.verification.introspection import facts

_DESCRIPTION = (
    "The socket of a user, which receives the frames of all channels of that user. Frames are text, one JSON object "
    f"each, of at most {contract.FRAME_MAX_BYTES} bytes from a client. It needs the session of the same user, in the "
    f"cookie `{contract.SESSION_COOKIE}` or as a bearer token."
)
_SINCE = {
    "type": "integer",
    "minimum": 0,
    "description": (
        "Resume: send what was committed after this event, then the live events, each with its `event_id`. 0 means "
        "from now on: the first frame is `read_again`, and no older event is sent."
    ),
}
_CLOSES = {
    1009: "a frame was too large",
    1012: "the server restarts, or the socket may have missed an event: connect again",
    1013: "the client does not read",
    4401: "the session has ended",
}


def file() -> str:
    """Return the document as JSON."""
    return openapi.text(document())


def document() -> dict[str, Any]:
    """Return the AsyncAPI document of the WebSocket. The application that it describes is the stack."""
    services = facts.services()
    backend, processor = services["backend"].frames, services["data-processor"].frames
    schemas = {**backend["schemas"], **processor["schemas"]}
    sent, received = [*backend["sent"], *processor["sent"]], backend["received"]
    every = list(dict.fromkeys(sent + received))
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Plumbline: frames of the WebSocket",
            "version": VERSION,
            "description": _DESCRIPTION,
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "channels": {
            "socket": {
                "address": "/ws/{user_id}",
                "description": _DESCRIPTION + "\n\nClose codes:\n"
                + "\n".join(f"- {code}: {why}" for code, why in _CLOSES.items()),
                "parameters": {"user_id": {"description": "The id of the session's user."}},
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in every},
                "bindings": {"ws": {"method": "GET", "query": {"type": "object", "properties": {"since": _SINCE}}}},
            }
        },
        "operations": {
            "sendToClients": _operation("send", "What the stack sends to clients.", sent),
            "receiveFromClients": _operation("receive", "What clients may send.", received),
        },
        "components": {
            "messages": {name: _message(name, schemas[name]) for name in every},
            "schemas": schemas,
        },
    }  # fmt: skip


def _operation(action: str, summary: str, names: list[str]) -> dict[str, Any]:
    messages = [{"$ref": f"#/channels/socket/messages/{name}"} for name in names]
    return {"action": action, "channel": {"$ref": "#/channels/socket"}, "summary": summary, "messages": messages}


def _message(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Return a message. Its name is the `type` of the frame."""
    return {
        "name": schema["properties"]["type"]["const"],
        "title": name,
        "summary": schema["description"],
        "payload": {"$ref": f"#/components/schemas/{name}"},
        "examples": [{"payload": one} for one in schema["examples"]],
    }
