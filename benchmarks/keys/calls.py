"""One call of each route that takes an `Idempotency-Key`."""

from __future__ import annotations

from dataclasses import dataclass, replace

from orjson import dumps
from servicekit.repeats import HEADER

from benchmarks.dataset import LABELS, World
from benchmarks.load.round import CONNECTIONS, MARK
from benchmarks.routes.case import Call
from benchmarks.routes.cases import ADMITTED, MULTIPART, upload

_BOX = {"x": 0.1, "y": 0.2, "width": 0.3, "height": 0.1}
_LABEL = {"label_type": "field", "bounding_box": _BOX}
_ANNOTATION = {"page": 1, "label_type": "field", "label_name": "Total", "text": "42"}


@dataclass(frozen=True, slots=True)
class Repeatable:
    """A route, and a call of it without a key."""

    route: str
    service: str
    call: Call
    connections: int = ADMITTED

    def with_key(self) -> Call:
        """Return the call with a key of its own for each request."""
        return replace(self.call, headers=((HEADER, f"benchmark-{MARK.decode()}"),))


def repeatables(world: World) -> list[Repeatable]:
    """Return every route that takes a key."""
    mark = MARK.decode()
    channel = {"name": f"#made-{mark}", "type": "public"}
    template = {
        "channel_id": world.channel_id, "name": f"Template {mark}",
        "labels": [{**_LABEL, "name": f"Label {number}"} for number in range(LABELS)],
    }  # fmt: skip
    batch = {
        "channel_id": world.channel_id, "template_id": world.template_id, "document_ids": [world.spare_document_id],
    }  # fmt: skip
    message = dumps({"content": "A message about as long as a usual one in a channel"})
    messages = f"/channels/{world.busy_channel_id}/messages"
    annotations = f"/data-processor/documents/{world.spare_document_id}/annotations/"
    box = {side: value * 100 for side, value in _BOX.items()}
    return [
        Repeatable("POST /channels/{channel_id}/messages", "backend", Call("POST", messages, message, status=201),
                   CONNECTIONS),
        Repeatable("POST /channels/", "backend", Call("POST", "/channels/", dumps(channel), status=201), CONNECTIONS),
        Repeatable("POST /data-processor/documents/", "data-processor",
                   Call("POST", "/data-processor/documents/", upload(world), MULTIPART, 201)),
        Repeatable("POST /data-processor/documents/{document_id}/annotations/", "data-processor",
                   Call("POST", annotations, dumps({**_ANNOTATION, "bounding_box": box}), status=201)),
        Repeatable("POST /data-processor/templates/", "data-processor",
                   Call("POST", "/data-processor/templates/", dumps(template), status=201)),
        Repeatable("POST /data-processor/batch/", "data-processor",
                   Call("POST", "/data-processor/batch/", dumps(batch), status=202)),
    ]  # fmt: skip
