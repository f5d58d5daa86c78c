"""Sends documents to a stack as a client does: uploads them, waits until they are read, and applies templates."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from plumbline.verification.checks.client import User
from plumbline.verification.checks.created import PREFIX
from plumbline.verification.checks.reading import wait_until_read
from tests.data.corpus import Document, source
from tests.data.layouts import Area, Layout
from tests.data.scores import Score, score

_DOCUMENTS, _TEMPLATES = "/data-processor/documents/", "/data-processor/templates/"


@dataclass
class Client:
    """A user, a channel, and the templates that were made in it."""

    user: User
    channel: int
    seed: int
    _templates: dict[str, int] = field(default_factory=dict)

    def measured(self, documents: Sequence[Document]) -> tuple[Score, list[str]]:
        """Return the score of documents that are uploaded together, and a line for everything that is wrong."""
        templates = [self._template(document.template) for document in documents]
        files = [document.file() for document in documents]
        began = time.monotonic()
        ids = [self._upload(document, file.content) for document, file in zip(documents, files, strict=True)]
        for document_id in ids:
            wait_until_read(self.user, document_id)
        read = time.monotonic()
        applied = [self._apply(*pair) for pair in zip(ids, templates, strict=True)]
        total = Score(read_s=read - began, apply_s=time.monotonic() - read)
        wrong = []
        for document, file, result in zip(documents, files, applied, strict=True):
            counted, lines = score(document, result, file.places)
            total += counted
            wrong += lines
        self._delete(ids)
        return total, wrong

    def _template(self, layout: Layout) -> int:
        """Return the template of a layout, made from a document that is deleted again."""
        if layout.name not in self._templates:
            document = source(layout, self.seed)
            document_id = self._upload(document, document.file().content)
            wait_until_read(self.user, document_id)
            body = {
                "channel_id": self.channel, "name": f"{PREFIX}{layout.name}", "source_document_id": document_id,
                "date_order": layout.date_order, "decimal_separator": layout.separator,
                "labels": [_label(area, layout) for area in layout.areas],
            }  # fmt: skip
            self._templates[layout.name] = self.user.post(_TEMPLATES, body).expect(201)["id"]
            self._delete([document_id])
        return self._templates[layout.name]

    def _upload(self, document: Document, content: bytes) -> int:
        return int(self.user.upload(self.channel, PREFIX + document.name, content).expect(201)["id"])

    def _apply(self, document_id: int, template_id: int) -> dict[str, Any]:
        path = f"{_DOCUMENTS}{document_id}/apply-template/"
        applied: dict[str, Any] = self.user.post(path, {"template_id": template_id}).expect(200)
        return applied

    def _delete(self, ids: Iterable[int]) -> None:
        for document_id in ids:
            self.user.delete(f"{_DOCUMENTS}{document_id}/").expect(204)


def _label(area: Area, layout: Layout) -> dict[str, Any]:
    width, height = layout.size
    return {
        "name": area.name, "label_type": area.type, "value_type": area.type, "page": area.page,
        "required": area.required, "expected_format": area.format,
        "bounding_box": {
            "x": area.x / width, "y": area.y / height, "width": area.width / width, "height": area.height / height,
        },
    }  # fmt: skip
