"""Reading what applying a template needs: the document, the template with its anchors. Both check the membership."""

from __future__ import annotations

from typing import Any

import orjson
from servicekit.codes import Code

from data_processor import access, boxes
from data_processor.annotations.selectors import COLUMNS, Annotation, annotation_from
from data_processor.applying.findings import Label, Page
from data_processor.applying.words import PlacedWord, Rectangle
from data_processor.database import statements
from data_processor.database.statements import Row

_DOCUMENT = access.one("documents", "d", "d.channel_id, d.page_count")
_LABELS = """
    (SELECT coalesce(jsonb_agg(to_jsonb(l) ORDER BY l.position), '[]')::text FROM template_labels l
     WHERE l.template_id = t.id) AS labels
"""
_ANCHORS = """
    (SELECT coalesce(jsonb_agg(to_jsonb(w)), '[]')::text FROM template_anchors w WHERE w.template_id = t.id) AS anchors
"""
_TEMPLATE = access.one(
    "templates",
    "t",
    f"t.id, t.channel_id, t.version, t.date_order, t.decimal_separator, {_LABELS}, {_ANCHORS}",
)
_MADE = f"""
    SELECT {COLUMNS} FROM annotations a
    WHERE a.document_id = %(document_id)s AND a.template_id = %(template_id)s ORDER BY a.page, a.id
"""


def document(*, document_id: int, user_id: int) -> Row:
    """Return channel_id and page_count of a document."""
    return access.find(_DOCUMENT, Code.NO_SUCH_DOCUMENT, object_id=document_id, user_id=user_id)


def template(*, template_id: int, user_id: int) -> Row:
    """Return a template, its labels and its anchors by page."""
    row = access.find(_TEMPLATE, Code.NO_SUCH_TEMPLATE, object_id=template_id, user_id=user_id)
    row["labels"] = [_label(label) for label in orjson.loads(row["labels"])]
    row["anchors"] = {page["page"]: _anchored(page) for page in orjson.loads(row["anchors"])}
    return row


def annotations_made(*, document_id: int, template_id: int) -> list[Annotation]:
    """Return the annotations of a template on a document, in the order of their pages. Checks no membership."""
    parameters = {"document_id": document_id, "template_id": template_id}
    return [annotation_from(row) for row in statements.rows(_MADE, parameters, statements.TRANSFER_S)]


def _label(row: dict[str, Any]) -> Label:
    return Label(
        id=row["id"],
        name=row["name"],
        page=row["page"],
        every_page=row["every_page"],
        box=Rectangle(*(row[column] for column in boxes.COLUMNS.values())),
        value_type=row["value_type"],
        expected_format=row["expected_format"],
        required=row["required"],
    )


def _anchored(row: dict[str, Any]) -> Page:
    words = [PlacedWord(text, Rectangle(*box)) for text, *box in row["words"]]
    return Page((row["width"], row["height"]), words)
