"""The frames that tell members of a channel about documents and jobs, as types with examples.

docs/generated/asyncapi.json describes them from here.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired

from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict

from data_processor.choices import BatchStatus, TextStatus

_DOCUMENT = {"document_id": 12, "channel_id": 3}
_VALUE = {"label_name": "number", "label_type": "field", "matched_text": "4711", "confidence": 1.0}
_BOX = {"x": 70.9, "y": 92.1, "width": 120.0, "height": 11.5}


def _example(**fields: Any) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [fields]})


class _Stored(TypedDict):
    event_id: NotRequired[Annotated[int, Field(description="Only on a socket that resumes: what to resume after.")]]


@with_config(_example(
    type="document_uploaded", **_DOCUMENT, uploaded_by=7, filename="invoice.pdf",
    thumbnail_url="/data-processor/documents/12/thumbnail",
))  # fmt: skip
class DocumentUploaded(_Stored):
    """A document was stored."""

    type: Literal["document_uploaded"]
    document_id: int
    channel_id: int
    uploaded_by: int
    filename: str
    thumbnail_url: str


@with_config(_example(type="ocr_progress", **_DOCUMENT, stage="preprocessing", progress=50, message="page 2 of 4"))
class OcrProgress(_Stored):
    """A document is being read; `progress` is in percent. At most two frames a second."""

    type: Literal["ocr_progress"]
    document_id: int
    channel_id: int
    stage: str
    progress: int
    message: str


class TextRegion(TypedDict):
    """A line of text on a page, in the page's own units."""

    id: int
    type: Literal["text"]
    page: int
    x: float
    y: float
    width: float
    height: float
    text: str
    confidence: float


@with_config(_example(
    type="ocr_complete", **_DOCUMENT, text_status="done", text_error=None,
    detected_regions=[{"id": 1, "type": "text", "page": 1, **_BOX, "text": "Invoice 4711", "confidence": 1.0}],
    extracted_text="Invoice 4711",
))  # fmt: skip
class OcrComplete(_Stored):
    """A document was read, or could not be. The frame has the beginning: the first 100 lines and 4,000 characters."""

    type: Literal["ocr_complete"]
    document_id: int
    channel_id: int
    text_status: TextStatus
    text_error: str | None
    detected_regions: list[TextRegion]
    extracted_text: str


class MatchedRegion(TypedDict):
    """Where the value of a label was found, and its text, of which up to 200 characters."""

    label_id: int | None
    label_name: str
    label_type: str
    x: float
    y: float
    width: float
    height: float
    matched_text: str
    confidence: float | None


@with_config(_example(
    type="template_applied", **_DOCUMENT, template_id=5,
    matched_regions=[{"label_id": 9, **_VALUE, **_BOX}], confidence=0.97,
))  # fmt: skip
class TemplateApplied(_Stored):
    """A template was applied to a document; at most 200 regions."""

    type: Literal["template_applied"]
    document_id: int
    channel_id: int
    template_id: int
    matched_regions: list[MatchedRegion]
    confidence: float


@with_config(_example(type="batch_progress", job_id=2, channel_id=3, status="running", total=40, done=17, failed=1))
class BatchProgress(_Stored):
    """A batch job made progress: twice a second at most, and always when it has ended."""

    type: Literal["batch_progress"]
    job_id: int
    channel_id: int
    status: BatchStatus
    total: int
    done: int
    failed: int


ANNOUNCED = (DocumentUploaded, OcrProgress, OcrComplete, TemplateApplied, BatchProgress)
"""What this service announces; the backend sends it to the sockets of members."""
