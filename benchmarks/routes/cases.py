"""The routes that are measured: the most used ones, at least one for each kind of work."""

from __future__ import annotations

from orjson import dumps
from servicekit.facts import LOG_CAP
from servicekit.settings import DatabaseSettings

from benchmarks.dataset import PAGE, PASSWORD, World
from benchmarks.routes.case import Call, Case

_BOUNDARY = "a-boundary-of-the-benchmark"
MULTIPART = f"multipart/form-data; boundary={_BOUNDARY}"
_FORM = "application/x-www-form-urlencoded"
ADMITTED = int(DatabaseSettings.model_fields["pool_size"].default) - 1
"""Number of uploads or changes that a process of the data-processor takes of one user at a time. More connections would
be refused when most of them reach the same process, as happens on a busy machine."""


def cases(world: World) -> dict[str, list[Case]]:
    """Return the cases of each service."""
    return {"backend": _backend(world), "data-processor": _data_processor(world), "log-sink": [_entries()]}


def _backend(world: World) -> list[Case]:
    login = f"username=person-{{n}}&password={PASSWORD.replace(' ', '+')}".encode()
    text = "A message about as long as a usual one in a channel"
    messages = "/channels/{channel_id}/messages"
    return [
        # The first request of every user, and the one that costs most CPU.
        Case("POST /auth/login", "verify, read",
             Call("POST", "/auth/login", login, _FORM), Call("POST", "/login", login, _FORM),
             numbers=range(1, PAGE + 1)),
        # The first page that a client shows, and the simplest list.
        Case("GET /channels/", "list 100",
             Call("GET", f"/channels/?limit={PAGE}"), Call("GET", "/read/channels/0"), items=PAGE),
        # The most frequent write: checks the membership, sends an event to every member.
        Case(f"POST {messages}", "write",
             Call("POST", f"/channels/{world.busy_channel_id}/messages", dumps({"content": text}), status=201),
             Call("POST", f"/write/post/{world.busy_channel_id}", dumps({"content": text, "user_id": world.user_id}))),
        # The most frequent read: checks the membership, joins the senders.
        Case(f"GET {messages}", "list 100",
             Call("GET", f"/channels/{world.channel_id}/messages?limit={PAGE}"),
             Call("GET", f"/read/messages/{world.channel_id}"), items=PAGE),
    ]  # fmt: skip


def _data_processor(world: World) -> list[Case]:
    documents, annotations = "/data-processor/documents/", "/documents/{document_id}/annotations/"
    picture = upload(world)
    box = {"x": 10.0, "y": 20.0, "width": 30.0, "height": 40.0}
    label = {"page": 1, "label_type": "field", "label_name": "Total", "text": "42"}
    columns = {**label, **{f"box_{side}": value for side, value in box.items()}, "colour": "#ffcc00"}
    return [
        # The largest body, and the only work that a child process does. The bytes are equal, so they are stored once.
        Case(f"POST {documents}", "judge, write 1 row",
             Call("POST", documents, picture, MULTIPART, 201),
             Call("POST", f"/upload/{world.user_id}", picture, MULTIPART), connections=ADMITTED),
        # Read each time a channel is opened.
        Case(f"GET {documents}", "list 100",
             Call("GET", f"{documents}?channel_id={world.channel_id}&limit={PAGE}"),
             Call("GET", f"/documents/{world.channel_id}"), items=PAGE),
        # The most frequent change of a document: a JSON body that is validated field by field.
        Case(f"POST /data-processor{annotations}", "write",
             Call("POST", f"{documents}{world.spare_document_id}/annotations/",
                  dumps({**label, "bounding_box": box}), status=201),
             Call("POST", f"/annotate/{world.spare_document_id}", dumps({**columns, "created_by_id": world.user_id})),
             connections=ADMITTED),
        # Read each time a document is opened: the list with the widest rows.
        Case(f"GET /data-processor{annotations}", "list 100",
             Call("GET", f"{documents}{world.document_id}/annotations/?limit={PAGE}"),
             Call("GET", f"/annotations/{world.document_id}"), items=PAGE),
    ]  # fmt: skip


def _entries() -> Case:
    # The operator's page reads everything that the recorder keeps.
    return Case("GET /logs/entries", f"list {LOG_CAP}",
                Call("GET", "/logs/entries"), Call("GET", "/entries"), items=LOG_CAP)  # fmt: skip


def upload(world: World) -> bytes:
    """Return the body of an upload."""
    head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="channel_id"\r\n\r\n{world.busy_channel_id}\r\n'
    head += f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="one.png"\r\n'
    head += "Content-Type: application/octet-stream\r\n\r\n"
    return head.encode() + world.picture + f"\r\n--{_BOUNDARY}--\r\n".encode()
