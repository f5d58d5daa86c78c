"""The views and their addresses."""

from __future__ import annotations

import hashlib
import io
from typing import Any

import orjson
from data_processor import models
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import path
from PIL import Image

DOCUMENT = (
    "id", "channel_id", "uploaded_by_id", "filename", "media_type", "size", "file_id", "page_count", "created_at",
    "updated_at",
)  # fmt: skip
ANNOTATION = (
    "id", "document_id", "page", "box_x", "box_y", "box_width", "box_height", "label_type", "label_name", "colour",
    "text", "confidence", "validation_status", "created_by_id", "created_at", "updated_at",
)  # fmt: skip


def none(_request: HttpRequest) -> HttpResponse:
    """Answer without any work, to show that the server is ready."""
    return _answer({"status": "ok"})


def list_documents(_request: HttpRequest, n: int) -> HttpResponse:
    """Answer ten fields of a channel's documents."""
    return _answer(list(models.Document.objects.filter(channel_id=n).order_by("-id").values(*DOCUMENT)[:100]))


def upload(request: HttpRequest, n: int) -> HttpResponse:
    """Decode and store a document."""
    (file,) = request.FILES.getlist("file")
    data = file.read()
    with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
        image.load()
    with transaction.atomic():
        content, _ = models.DocumentContent.objects.get_or_create(
            sha256=hashlib.sha256(data).hexdigest(), defaults={"data": data}
        )
        made = models.Document.objects.create(
            channel_id=int(request.POST["channel_id"]),
            uploaded_by_id=n,
            filename=file.name,
            media_type="image/png",
            size=len(data),
            file=content,
            page_widths=[image.width],
            page_heights=[image.height],
        )
    return _answer({name: getattr(made, name) for name in DOCUMENT})


def list_annotations(_request: HttpRequest, n: int) -> HttpResponse:
    """Answer a document's annotations."""
    return _answer(list(models.Annotation.objects.filter(document_id=n).order_by("-id").values(*ANNOTATION)[:100]))


def annotate(request: HttpRequest, n: int) -> HttpResponse:
    """Store an annotation."""
    made = models.Annotation.objects.create(document_id=n, **orjson.loads(request.body))
    return _answer({name: getattr(made, name) for name in ANNOTATION})


def _answer(body: Any) -> HttpResponse:
    content = orjson.dumps(body)
    # Without its length the server would send it in chunks.
    return HttpResponse(content, content_type="application/json", headers={"Content-Length": str(len(content))})


urlpatterns = [
    path("none", none),
    path("documents/<int:n>", list_documents),
    path("upload/<int:n>", upload),
    path("annotations/<int:n>", list_annotations),
    path("annotate/<int:n>", annotate),
]
