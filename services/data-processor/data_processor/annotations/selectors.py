"""Reading annotations. Each function is one statement that also checks the membership."""

from __future__ import annotations

from typing import Any

from servicekit.codes import Code

from data_processor import access
from data_processor.database import statements
from data_processor.database.statements import Row
from data_processor.web.errors import NotFoundError
from data_processor.web.pages import Page

COLUMNS = (
    "a.id, a.document_id, a.page, a.box_x, a.box_y, a.box_width, a.box_height, a.label_type, a.label_name, a.colour, "
    "a.text, a.confidence, a.validation_status, a.created_by, a.created_at, a.updated_at"
)

_OF_DOCUMENT = f"""
    SELECT m.user_id, d.channel_id, a.* FROM documents d
    LEFT JOIN memberships m ON m.channel_id = d.channel_id AND m.user_id = %(user_id)s
    LEFT JOIN LATERAL (
        SELECT {COLUMNS} FROM annotations a
        {statements.newest("a", "document_id", "d.id")}
    ) a ON m.user_id IS NOT NULL
    WHERE d.id = %(document_id)s ORDER BY a.id DESC
"""

_ONE = f"""
    SELECT m.user_id, d.channel_id, {COLUMNS} FROM documents d
    LEFT JOIN memberships m ON m.channel_id = d.channel_id AND m.user_id = %(user_id)s
    LEFT JOIN annotations a ON a.document_id = d.id AND a.id = %(annotation_id)s
    WHERE d.id = %(document_id)s
"""

_PAGE_SIZES = """
    SELECT m.user_id, d.channel_id, d.page_widths, d.page_heights FROM documents d
    LEFT JOIN memberships m ON m.channel_id = d.channel_id AND m.user_id = %(user_id)s
    WHERE d.id = %(document_id)s
"""


def annotation_list(*, document_id: int, user_id: int, page: Page) -> list[Row]:
    """Return the page of a document's annotations, newest first, in the order of `COLUMNS`."""
    parameters = {"document_id": document_id, "user_id": user_id, "before": page.before, "limit": page.probe}
    rows = statements.rows(_OF_DOCUMENT, parameters)
    access.found(rows[0] if rows else None, Code.NO_SUCH_DOCUMENT, document_id)
    return [row[2:] for row in rows if row[2] is not None]


def annotation_get(*, document_id: int, annotation_id: int, user_id: int) -> Row:
    """Return one annotation of a document, in the order of `COLUMNS`."""
    parameters = {"document_id": document_id, "annotation_id": annotation_id, "user_id": user_id}
    row = access.found(statements.row(_ONE, parameters), Code.NO_SUCH_DOCUMENT, document_id)
    if row[0] is None:
        raise NotFoundError(Code.NO_SUCH_ANNOTATION, annotation_id)
    return row


def page_sizes(*, document_id: int, user_id: int) -> list[tuple[float, float]]:
    """Return width and height of each page of a document."""
    row = statements.row(_PAGE_SIZES, {"document_id": document_id, "user_id": user_id})
    widths, heights = access.found(row, Code.NO_SUCH_DOCUMENT, document_id)
    return list(zip(widths, heights, strict=True))


def annotation_shape(row: Row) -> dict[str, Any]:
    """Return a row of `COLUMNS` as clients see it."""
    return {
        "id": row[0],
        "document_id": row[1],
        "page": row[2],
        "bounding_box": {"x": row[3], "y": row[4], "width": row[5], "height": row[6]},
        "label_type": row[7],
        "label_name": row[8],
        "colour": row[9],
        "text": row[10],
        "confidence": row[11],
        "validation_status": row[12],
        "created_by": row[13],
        "created_at": row[14],
        "updated_at": row[15],
    }
