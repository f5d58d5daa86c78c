"""Every route of the data-processor."""

from __future__ import annotations

from typing import Any

from benchmarks.dataset import ITEMS, LABELS, PAGE, World
from benchmarks.routes import fresh
from benchmarks.routes.case import Call, Case, json
from plumbline.verification.checks import samples

_PREFIX = "/data-processor"
_BOUNDARY = "a-boundary-of-the-benchmark"
_MULTIPART = f"multipart/form-data; boundary={_BOUNDARY}"


def cases(world: World) -> list[Case]:
    """Return one case or more a route."""
    made = (_service, _documents, _files, _annotations, _templates, _batches)
    return [case for some in made for case in some(world)]


def _route(method: str, path: str) -> str:
    return f"{method} {_PREFIX}{path}"


def _call(method: str, path: str, body: bytes = b"", **rest: Any) -> Call:
    return Call(method, _PREFIX + path, body, **rest)


def _service(world: World) -> list[Case]:
    read_one = Call("GET", f"/document/{world.document_id}")
    return [
        Case(_route("GET", "/health"), "read one", _call("GET", "/health"), Call("GET", "/revision/0")),
        Case(_route("GET", "/health/live"), "no query", _call("GET", "/health/live"), read_one),
        Case("GET /auth/operator", "no query", Call("GET", "/auth/operator"), read_one, as_operator=True),
    ]


def _documents(world: World) -> list[Case]:
    one = "/documents/{document_id}/"
    some, fresh_ones = fresh.cycle(world.documents), fresh.documents(world)
    name = json({"filename": "renamed.png"})
    return [
        Case(_route("GET", "/documents/"), "list 100",
             _call("GET", f"/documents/?channel_id={world.channel_id}&limit={PAGE}"),
             Call("GET", f"/documents/{world.channel_id}"), items=PAGE),
        Case(_route("GET", one), "read one", _call("GET", "/documents/{n}/"), Call("GET", "/document/{n}"), some),
        Case(_route("PATCH", one), "update",
             _call("PATCH", "/documents/{n}/", name), Call("POST", "/write/rename/{n}", name), some),
        Case(_route("DELETE", one), "delete",
             _call("DELETE", "/documents/{n}/", status=204), Call("POST", "/write/drop-document/{n}"), fresh_ones),
    ]  # fmt: skip


def _files(world: World) -> list[Case]:
    some, fresh_ones = fresh.cycle(world.documents), fresh.documents(world)
    return [
        *(
            Case(_route("POST", "/documents/"), "judge, write 2 rows",
                 _call("POST", "/documents/", _upload(world, name, data), content_type=_MULTIPART, status=201),
                 Call("POST", f"/upload/{world.user_id}", _upload(world, name, data), _MULTIPART), variant=kind)
            for kind, name, data in (("PNG", "one.png", world.picture), ("PDF", "one.pdf", samples.pdf()))
        ),
        Case(_route("GET", "/documents/{document_id}/content"), "read bytes",
             _call("GET", "/documents/{n}/content"), Call("GET", "/content/{n}"), some),
        Case(_route("GET", "/documents/{document_id}/thumbnail"), "draw, write",
             _call("GET", "/documents/{n}/thumbnail"), Call("GET", "/make_thumbnail/{n}"), fresh_ones, "first"),
        Case(_route("GET", "/documents/{document_id}/thumbnail"), "read bytes",
             _call("GET", "/documents/{n}/thumbnail"), Call("GET", "/thumbnail/{n}"), some, "kept"),
    ]  # fmt: skip


def _upload(world: World, name: str, data: bytes) -> bytes:
    head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="channel_id"\r\n\r\n{world.busy_channel_id}\r\n'
    head += f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
    head += "Content-Type: application/octet-stream\r\n\r\n"
    return head.encode() + data + f"\r\n--{_BOUNDARY}--\r\n".encode()


def _annotations(world: World) -> list[Case]:
    many, one = "/documents/{document_id}/annotations/", "/documents/{document_id}/annotations/{annotation_id}/"
    listed = f"/documents/{world.document_id}/annotations/"
    spare = f"/documents/{world.documents[-1]}/annotations/{{n}}/"
    box = {"x": 10.0, "y": 20.0, "width": 30.0, "height": 40.0}
    columns = {f"box_{side}": value for side, value in box.items()}
    label = {"page": 1, "label_type": "field", "label_name": "Total", "text": "42"}
    row = {**columns, **label, "colour": "#ffcc00", "created_by_id": world.user_id}
    whole = json({**label, "bounding_box": box})
    some = fresh.cycle(world.annotations)
    return [
        Case(_route("GET", many), "list 100",
             _call("GET", f"{listed}?limit={PAGE}"), Call("GET", f"/annotations/{world.document_id}"), items=PAGE),
        Case(_route("POST", many), "write",
             _call("POST", f"/documents/{world.documents[-1]}/annotations/", whole, status=201),
             Call("POST", f"/annotate/{world.documents[-1]}", json(row))),
        Case(_route("GET", one), "read one", _call("GET", f"{listed}{{n}}/"), Call("GET", "/annotation/{n}"), some),
        Case(_route("PUT", one), "update",
             _call("PUT", f"{listed}{{n}}/", whole), Call("POST", "/write/replace/{n}", json({**columns, **label})),
             some),
        Case(_route("PATCH", one), "update",
             _call("PATCH", f"{listed}{{n}}/", json({"text": "43"})),
             Call("POST", "/write/label/{n}", json({"text": "43"})), some),
        Case(_route("DELETE", one), "delete",
             _call("DELETE", spare, status=204), Call("POST", "/write/drop-annotation/{n}"),
             fresh.annotations(world)),
    ]  # fmt: skip


def _labels() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the same labels as a client sends them, and as columns."""
    box = {"x": 0.1, "y": 0.2, "width": 0.3, "height": 0.1}
    columns = {f"box_{side}": value for side, value in box.items()}
    labels = [{"name": f"Label {n}", "label_type": "field", "colour": "#ffcc00", "page": 1} for n in range(LABELS)]
    sent = [{**label, "bounding_box": box} for label in labels]
    return sent, [{**label, **columns, "position": n} for n, label in enumerate(labels, 1)]


def _templates(world: World) -> list[Case]:
    one = "/templates/{template_id}/"
    sent, stored = _labels()
    some, numbers = fresh.cycle(world.templates), fresh.never_used()
    rows = f"write {1 + LABELS} rows"
    here = {"channel_id": world.busy_channel_id}
    return [
        *_lists(world, "templates", "list 100, labels"),
        Case(_route("POST", "/templates/"), rows,
             _call("POST", "/templates/", json({"name": "New {n}", "labels": sent, **here}), status=201),
             Call("POST", f"/make_template/{world.busy_channel_id}",
                  json({"name": "Floor {n}", "labels": stored, "user_id": world.user_id})), numbers),
        Case(_route("GET", one), "read one, labels",
             _call("GET", "/templates/{n}/"), Call("GET", "/template/{n}"), some),
        Case(_route("PUT", one), rows,
             _call("PUT", "/templates/{n}/", json({"name": "Template {n}", "labels": sent})),
             Call("POST", "/replace_template/{n}", json({"name": "Template {n}", "labels": stored})),
             fresh.templates(world)),
        Case(_route("DELETE", one), "delete",
             _call("DELETE", "/templates/{n}/", status=204), Call("POST", "/write/drop-template/{n}"),
             fresh.templates(world)),
    ]  # fmt: skip


def _batches(world: World) -> list[Case]:
    job = {"template_id": world.templates[0], "document_ids": world.documents[:ITEMS]}
    return [
        *_lists(world, "batch", "list 100"),
        Case(_route("POST", "/batch/"), f"write {1 + ITEMS} rows",
             _call("POST", "/batch/", json({**job, "channel_id": world.channel_id}), status=202),
             Call("POST", f"/make_batch/{world.channel_id}", json({**job, "user_id": world.user_id}))),
        Case(_route("GET", "/batch/{batch_id}/"), "read one, items",
             _call("GET", "/batch/{n}/"), Call("GET", "/batch/{n}"), fresh.cycle(world.batches)),
    ]  # fmt: skip


def _lists(world: World, name: str, work: str) -> list[Case]:
    """Return the list of one channel and that of all channels of the caller."""
    floor = Call("GET", f"/{'batches' if name == 'batch' else name}/{world.channel_id}")
    return [
        Case(_route("GET", f"/{name}/"), work, _call("GET", f"/{name}/?{query}limit={PAGE}"), floor,
             variant=variant, items=PAGE)
        for variant, query in (("channel", f"channel_id={world.channel_id}&"), ("all", ""))
    ]  # fmt: skip
