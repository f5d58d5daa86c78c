"""The bare views, and their addresses."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import orjson
from data_processor import models
from django.db import connection, transaction
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, HttpResponse
from django.urls import path

from benchmarks.floors.bare_django import files

DOCUMENT = (
    "id", "channel_id", "uploaded_by_id", "filename", "media_type", "size", "sha256", "page_count", "created_at",
    "updated_at",
)  # fmt: skip
ANNOTATION = (
    "id", "document_id", "page", "box_x", "box_y", "box_width", "box_height", "label_type", "label_name", "colour",
    "text", "confidence", "validation_status", "created_by_id", "created_at", "updated_at",
)  # fmt: skip
TEMPLATE = ("id", "channel_id", "name", "created_by_id", "created_at", "updated_at")
LABEL = (
    "id", "template_id", "position", "name", "label_type", "colour", "page", "box_x", "box_y", "box_width",
    "box_height", "expected_format", "required",
)  # fmt: skip
BATCH = ("id", "channel_id", "template_id", "status", "total", "done", "failed", "created_by_id", "created_at")
ITEM = ("document_id", "filename", "status", "error")

STATEMENTS = {
    "rename": "UPDATE documents SET filename = %(filename)s WHERE id = %(n)s RETURNING *",
    "drop-document": "DELETE FROM documents WHERE id = %(n)s RETURNING id",
    "label": "UPDATE annotations SET text = %(text)s WHERE id = %(n)s RETURNING *",
    "replace": """
        UPDATE annotations SET page = %(page)s, box_x = %(box_x)s, box_y = %(box_y)s, box_width = %(box_width)s,
            box_height = %(box_height)s, label_type = %(label_type)s, label_name = %(label_name)s, text = %(text)s
        WHERE id = %(n)s RETURNING *
    """,
    "drop-annotation": "DELETE FROM annotations WHERE id = %(n)s RETURNING id",
    "drop-template": "DELETE FROM templates WHERE id = %(n)s RETURNING id",
}


def none(_request: HttpRequest) -> HttpResponse:
    """An answer from nowhere."""
    return _sent(b'{"status":"ok"}')


def revision(_request: HttpRequest, **_: int) -> HttpResponse:
    """The newest migration."""
    return _answer(MigrationRecorder.Migration.objects.order_by("-id").values("name")[0])


def document(_request: HttpRequest, n: int) -> HttpResponse:
    """One document."""
    return _answer(models.Document.objects.values(*DOCUMENT).get(id=n))


def documents(_request: HttpRequest, n: int) -> HttpResponse:
    """A channel's documents: ten fields."""
    return _answer(list(models.Document.objects.filter(channel_id=n).order_by("-id").values(*DOCUMENT)[:100]))


def content(_request: HttpRequest, n: int) -> HttpResponse:
    """A document's bytes."""
    return _sent(bytes(models.DocumentContent.objects.values_list("data", flat=True).get(document_id=n)), "image/png")


def thumbnail(_request: HttpRequest, n: int) -> HttpResponse:
    """A stored thumbnail."""
    found = models.DocumentContent.objects.values_list("thumbnail", flat=True).get(document_id=n)
    return _sent(bytes(found), files.THUMBNAIL_TYPE)


def make_thumbnail(_request: HttpRequest, n: int) -> HttpResponse:
    """A thumbnail, drawn and stored."""
    kept = models.DocumentContent.objects.filter(document_id=n)
    made = files.draw(bytes(kept.values_list("data", flat=True).get()))
    kept.update(thumbnail=made)
    return _sent(made, files.THUMBNAIL_TYPE)


def upload(request: HttpRequest, n: int) -> HttpResponse:
    """A new document, received by Django, looked at on the way."""
    data = request.FILES["file"].read()
    found = files.look(data)
    with transaction.atomic():
        made = models.Document.objects.create(
            channel_id=int(request.POST["channel_id"]),
            uploaded_by_id=n,
            filename=request.FILES["file"].name,
            media_type=found.media_type,
            size=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            page_widths=found.widths,
            page_heights=found.heights,
        )
        models.DocumentContent.objects.create(document=made, data=data, text_layer=found.text)
    return _answer({name: getattr(made, name) for name in DOCUMENT})


def annotation(_request: HttpRequest, n: int) -> HttpResponse:
    """One annotation."""
    return _answer(models.Annotation.objects.values(*ANNOTATION).get(id=n))


def annotations(_request: HttpRequest, n: int) -> HttpResponse:
    """A document's annotations."""
    return _answer(list(models.Annotation.objects.filter(document_id=n).order_by("-id").values(*ANNOTATION)[:100]))


def annotate(request: HttpRequest, n: int) -> HttpResponse:
    """A new annotation."""
    made = models.Annotation.objects.create(document_id=n, **orjson.loads(request.body))
    return _answer({name: getattr(made, name) for name in ANNOTATION})


def template(_request: HttpRequest, n: int) -> HttpResponse:
    """One template with its labels."""
    return _answer(_template(n))


def templates(_request: HttpRequest, n: int) -> HttpResponse:
    """A channel's templates with their labels."""
    found = {
        row["id"]: {**row, "labels": []}
        for row in models.Template.objects.filter(channel_id=n).order_by("-id").values(*TEMPLATE)[:100]
    }
    for label in models.TemplateLabel.objects.filter(template_id__in=list(found)).values(*LABEL):
        found[label["template_id"]]["labels"].append(label)
    return _answer(list(found.values()))


def make_template(request: HttpRequest, n: int) -> HttpResponse:
    """A new template with its labels."""
    body = orjson.loads(request.body)
    with transaction.atomic():
        made = models.Template.objects.create(channel_id=n, name=body["name"], created_by_id=body["user_id"])
        models.TemplateLabel.objects.bulk_create(
            models.TemplateLabel(template=made, **label) for label in body["labels"]
        )
    return _answer(_template(made.id))


def replace_template(request: HttpRequest, n: int) -> HttpResponse:
    """Another name and other labels for a template."""
    body = orjson.loads(request.body)
    with transaction.atomic():
        models.Template.objects.filter(id=n).update(name=body["name"])
        models.TemplateLabel.objects.filter(template_id=n).delete()
        models.TemplateLabel.objects.bulk_create(
            models.TemplateLabel(template_id=n, **label) for label in body["labels"]
        )
    return _answer(_template(n))


def batch(_request: HttpRequest, n: int) -> HttpResponse:
    """One job with its items."""
    return _answer(_batch(n))


def batches(_request: HttpRequest, n: int) -> HttpResponse:
    """A channel's jobs."""
    return _answer(list(models.BatchJob.objects.filter(channel_id=n).order_by("-id").values(*BATCH)[:100]))


def make_batch(request: HttpRequest, n: int) -> HttpResponse:
    """A new job with its items."""
    body = orjson.loads(request.body)
    ids = body["document_ids"]
    with transaction.atomic():
        made = models.BatchJob.objects.create(
            channel_id=n, template_id=body["template_id"], total=len(ids), created_by_id=body["user_id"]
        )
        models.BatchItem.objects.bulk_create(
            models.BatchItem(batch_job=made, position=position, document_id=number, filename="one.png")
            for position, number in enumerate(ids, 1)
        )
    return _answer(_batch(made.id))


def write(request: HttpRequest, name: str, n: int) -> HttpResponse:
    """The row that the named statement returns: the fields of the JSON body are its parameters."""
    parameters = {"n": n, **(orjson.loads(request.body) if request.body else {})}
    with connection.cursor() as cursor:
        cursor.execute(STATEMENTS[name], parameters)
        columns = [column.name for column in cursor.description]
        return _answer(dict(zip(columns, cursor.fetchone(), strict=True)))


def _template(number: int) -> dict[str, Any]:
    labels = models.TemplateLabel.objects.filter(template_id=number).values(*LABEL)
    return {**models.Template.objects.values(*TEMPLATE).get(id=number), "labels": list(labels)}


def _batch(number: int) -> dict[str, Any]:
    items = models.BatchItem.objects.filter(batch_job_id=number).order_by("position").values(*ITEM)
    return {**models.BatchJob.objects.values(*BATCH).get(id=number), "items": list(items)}


def _answer(body: Any) -> HttpResponse:
    return _sent(orjson.dumps(body))


def _sent(body: bytes, media_type: str = "application/json") -> HttpResponse:
    # With its length, or the server sends it in chunks.
    return HttpResponse(body, content_type=media_type, headers={"Content-Length": str(len(body))})


_VIEWS: tuple[Callable[..., HttpResponse], ...] = (
    revision, document, documents, content, thumbnail, make_thumbnail, upload, annotation, annotations, annotate,
    template, templates, make_template, replace_template, batch, batches, make_batch,
)  # fmt: skip
urlpatterns = [
    path("none", none),
    path("write/<name>/<int:n>", write),
    *(path(f"{view.__name__}/<int:n>", view) for view in _VIEWS),
]
