"""Examples of bodies in the OpenAPI document: one invoice, its template and a job."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import orjson

from data_processor.annotations.selectors import Annotation
from data_processor.applying.findings import PageResult
from data_processor.applying.services import Applied
from data_processor.batches.selectors import BatchItem, BatchJob
from data_processor.documents.selectors import Document
from data_processor.exports.as_json import Export
from data_processor.reading.selectors import PageTextOfDocument
from data_processor.templates.selectors import Template

_THEN = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
_LATER = datetime(2026, 5, 4, 9, 31, 12, tzinfo=UTC)
_SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

_DOCUMENT: Document = {
    "id": 17, "channel_id": 3, "uploaded_by": 1, "filename": "invoice.pdf", "media_type": "application/pdf",
    "size": 48213, "sha256": _SHA256, "damage": [], "page_count": 1, "width": 595.0, "height": 842.0,
    "text_status": "done", "text_error": None, "created_at": _THEN, "updated_at": _THEN,
    "urls": {
        "self": "/data-processor/documents/17/", "content": "/data-processor/documents/17/content",
        "thumbnail": "/data-processor/documents/17/thumbnail",
    },
}  # fmt: skip

_ANNOTATION: Annotation = {
    "id": 230, "document_id": 17, "page": 1, "bounding_box": {"x": 420.0, "y": 96.0, "width": 80.0, "height": 14.0},
    "label_type": "field", "label_name": "total", "colour": "#2266cc", "text": "1.204,50", "confidence": 0.96,
    "validation_status": "valid", "reason": None, "value_type": "amount", "normalised_value": "1204.50",
    "expected_format": None, "template_id": 5, "template_label_id": 41, "template_version": 2, "reviewed_by": None,
    "reviewed_at": None, "created_by": 1, "created_at": _LATER, "updated_at": _LATER,
}  # fmt: skip

_TEMPLATE: Template = {
    "id": 5, "channel_id": 3, "name": "Invoice", "version": 2, "source_document_id": 16, "source_page": 1,
    "anchored_pages": [1], "date_order": "DMY", "decimal_separator": ",", "created_by": 1, "created_at": _THEN,
    "updated_at": _LATER,
    "labels": [
        {
            "id": 41, "position": 1, "name": "total", "label_type": "field", "colour": "#2266cc", "page": 1,
            "every_page": False, "bounding_box": {"x": 0.7, "y": 0.11, "width": 0.14, "height": 0.02},
            "value_type": "amount", "expected_format": None, "required": True,
        }
    ],
}  # fmt: skip

_PAGE_TEXT: PageTextOfDocument = {
    "document_id": 17, "status": "done", "page": 1, "width": 595.0, "height": 842.0, "engine": "text-layer",
    "angle": 0.0, "text": "Total 1.204,50", "error": None,
    "words": [
        {"text": "Total", "box": [360.0, 96.0, 30.0, 12.0], "line": 0, "confidence": 1.0},
        {"text": "1.204,50", "box": [420.0, 96.0, 48.0, 12.0], "line": 0, "confidence": 1.0},
    ],
}  # fmt: skip

_PAGE_RESULT: PageResult = {
    "page": 1, "method": "anchors", "inliers": 58, "total": 60, "residual": 0.7, "needs_review": False, "reason": None,
}  # fmt: skip

_APPLIED: Applied = {
    "document_id": 17, "template_id": 5, "template_version": 2, "annotations_created": 1,
    "annotations": [_ANNOTATION], "missing_required": [], "needs_review": False, "pages": [_PAGE_RESULT],
    "used_feature_matching": True,
    "match_result": {
        "success": True, "confidence": 0.97, "inlier_count": 58, "total_matches": 60,
        "requires_manual_anchors": False, "error_message": None,
    },
}  # fmt: skip

_JOB: BatchJob = {
    "id": 8, "channel_id": 3, "template_id": 5, "status": "running", "total": 250, "done": 120, "failed": 1,
    "created_by": 1, "created_at": _THEN, "finished_at": None,
}  # fmt: skip

_ITEM: BatchItem = {
    "position": 3, "document_id": None, "filename": "invoice-3.pdf", "status": "failed",
    "error": "the document was deleted",
}  # fmt: skip

_EXPORT: Export = {
    "documents": [
        {
            "document_id": 17, "filename": "invoice.pdf",
            "values": [
                {
                    "value_id": 231, "page": 1, "label": "date", "text": "4.5.2026", "value_type": "date",
                    "value_text": None, "value_date": date(2026, 5, 4), "value_amount": None, "value_table": None,
                    "status": "valid", "reason": None,
                }
            ],
        }
    ],
    "count": {"documents": 1, "values": 1},
}  # fmt: skip


def of_schemas() -> dict[str, Any]:
    """Return an example of each schema, by its name in the document."""
    found = {
        "Annotation": _ANNOTATION,
        "Applied": _APPLIED,
        "BatchItem": _ITEM,
        "BatchJob": _JOB,
        "Document": _DOCUMENT,
        "Export": _EXPORT,
        "PageTextOfDocument": _PAGE_TEXT,
        "Template": _TEMPLATE,
        "UploadForm": {"file": "the bytes of the file", "channel_id": 3},
    }
    plain: dict[str, Any] = orjson.loads(orjson.dumps(found))
    return plain
