"""Reading annotations. Each function is one statement that also checks the membership."""

from __future__ import annotations

from datetime import datetime
from typing import cast

import orjson
from servicekit.codes import Code
from typing_extensions import TypedDict

from data_processor import access, boxes
from data_processor.boxes import BoundingBox
from data_processor.choices import ValidationStatus, ValueType
from data_processor.database import statements
from data_processor.database.statements import Row
from data_processor.shapes import columns
from data_processor.web.errors import NotFoundError
from data_processor.web.pages import Page


class Annotation(TypedDict):
    """A box on a page of a document, with its meaning.

    One that applying a template made has the template, its version and the label; `normalised_value` is a date in
    ISO 8601, an amount as a decimal, or a list of rows; `reason` says why it is not valid. `reviewed_by` and
    `reviewed_at` say which person approved or changed it last: applying a template again leaves it as it is.
    """

    id: int
    document_id: int
    page: int
    bounding_box: BoundingBox
    label_type: str
    label_name: str
    colour: str
    text: str | None
    confidence: float | None
    validation_status: ValidationStatus
    reason: str | None
    value_type: ValueType | None
    normalised_value: str | list[list[str]] | None
    expected_format: str | None
    template_id: int | None
    template_label_id: int | None
    template_version: int | None
    reviewed_by: int | None
    reviewed_at: datetime | None
    created_by: int | None
    created_at: datetime
    updated_at: datetime


COLUMNS = columns(
    "a",
    Annotation,
    bounding_box=f"ARRAY[{', '.join(f'a.{column}' for column in boxes.COLUMNS.values())}]",
    normalised_value="a.normalised_value::text",
)

_OF_DOCUMENT = f"""
    SELECT m.user_id AS member, d.channel_id AS of_channel, a.* FROM documents d
    LEFT JOIN memberships m ON m.channel_id = d.channel_id AND m.user_id = %(user_id)s
    LEFT JOIN LATERAL (
        SELECT {COLUMNS} FROM annotations a
        {statements.newest("a", "document_id", "d.id")}
    ) a ON m.user_id IS NOT NULL
    WHERE d.id = %(document_id)s ORDER BY a.id DESC
"""

_ONE = f"""
    SELECT m.user_id AS member, d.channel_id AS of_channel, {COLUMNS} FROM documents d
    LEFT JOIN memberships m ON m.channel_id = d.channel_id AND m.user_id = %(user_id)s
    LEFT JOIN annotations a ON a.document_id = d.id AND a.id = %(annotation_id)s
    WHERE d.id = %(document_id)s
"""

_PAGE_SIZES = access.one("documents", "d", "d.page_widths, d.page_heights")


def annotation_list(*, document_id: int, user_id: int, page: Page) -> list[Annotation]:
    """Return the page of a document's annotations, newest first."""
    parameters = {"document_id": document_id, "user_id": user_id, "before": page.before, "limit": page.probe}
    rows = statements.rows(_OF_DOCUMENT, parameters)
    access.found(rows[0] if rows else None, Code.NO_SUCH_DOCUMENT, document_id)
    return [annotation_from(row) for row in access.listed(rows)]


def annotation_get(*, document_id: int, annotation_id: int, user_id: int) -> Annotation:
    """Return one annotation of a document."""
    parameters = {"document_id": document_id, "annotation_id": annotation_id, "user_id": user_id}
    row = access.found(statements.row(_ONE, parameters), Code.NO_SUCH_DOCUMENT, document_id)
    if row["id"] is None:
        raise NotFoundError(Code.NO_SUCH_ANNOTATION, annotation_id)
    return annotation_from(row)


def annotation_from(row: Row) -> Annotation:
    """Return a row of `COLUMNS` as it is sent to clients."""
    if row["normalised_value"] is not None:
        row["normalised_value"] = orjson.loads(row["normalised_value"])
    row["bounding_box"] = dict(zip(boxes.COLUMNS, row["bounding_box"], strict=True))
    return cast(Annotation, row)


def page_sizes(*, document_id: int, user_id: int) -> list[tuple[float, float]]:
    """Return width and height of each page of a document."""
    row = access.find(_PAGE_SIZES, Code.NO_SUCH_DOCUMENT, object_id=document_id, user_id=user_id)
    return list(zip(row["page_widths"], row["page_heights"], strict=True))
