"""Changing annotations. One statement writes and checks membership and page; only a refusal needs a second one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from django.db import IntegrityError
from psycopg.types.json import Jsonb
from servicekit import repeats
from servicekit.codes import Code

from data_processor import boxes
from data_processor.annotations import selectors
from data_processor.annotations.selectors import COLUMNS, Annotation, annotation_from
from data_processor.applying.values import read
from data_processor.boxes import EPSILON, Box, faults, to_columns
from data_processor.database import statements
from data_processor.database.statements import Row
from data_processor.web.errors import InvalidError, NotFoundError
from data_processor.web.repeats import Keep, Once

_SETTABLE = (
    "page", "box_x", "box_y", "box_width", "box_height",
    "label_type", "label_name", "colour", "text", "confidence", "validation_status",
)  # fmt: skip

# Must agree with boxes.faults, which makes the error messages. A page that does not exist has the size NULL.
_FITS = """
    {width} > 0 AND {height} > 0 AND {x} >= 0 AND {y} >= 0
    AND {x} + {width} <= d.page_widths[{page}] * (1 + %(epsilon)s::float8)
    AND {y} + {height} <= d.page_heights[{page}] * (1 + %(epsilon)s::float8)
"""

_TYPES = dict.fromkeys(_SETTABLE, "text") | dict.fromkeys(
    ("box_x", "box_y", "box_width", "box_height", "confidence"), "float8"
) | {"page": "integer"}  # fmt: skip


def _given(column: str) -> str:
    return f"%({column})s::{_TYPES[column]}"


def _fits(value: Callable[[str], str]) -> str:
    return _FITS.format(page=value("page"), **{side: value(column) for side, column in boxes.COLUMNS.items()})


_IF_APPROVED = "CASE WHEN %(validation_status)s::text IN ('valid', 'corrected') THEN {} END"

_WRITE = f"""
    INSERT INTO annotations AS a (document_id, reviewed_by, reviewed_at, created_by, {", ".join(_SETTABLE)})
    SELECT d.id, {_IF_APPROVED.format("%(user_id)s::bigint")}, {_IF_APPROVED.format("clock_timestamp()")},
           m.user_id, {", ".join(map(_given, _SETTABLE))}
    FROM documents d JOIN memberships m ON m.channel_id = d.channel_id AND m.user_id = %(user_id)s
    WHERE d.id = %(document_id)s AND {_fits(_given)}
"""
_INSERT = f"{_WRITE} RETURNING {COLUMNS}"
# One statement with a key, too: a transaction of several would cost a fifth of the call.
_INSERT_ONCE = f"""
    WITH answer AS ({_WRITE} {repeats.IF_FREE} RETURNING *), {repeats.KEPT}
    SELECT {COLUMNS} FROM answer a
"""
_AGAIN = f"SELECT {COLUMNS} FROM json_populate_record(NULL::annotations, %(answer)s::json) a"

_UPDATE = """
    UPDATE annotations a
    SET {assignments}{meaning}, reviewed_by = {by}, reviewed_at = {at}, updated_at = clock_timestamp()
    FROM documents d JOIN memberships m ON m.channel_id = d.channel_id AND m.user_id = %(user_id)s
    WHERE d.id = %(document_id)s AND a.document_id = d.id AND a.id = %(annotation_id)s AND {fits}
    RETURNING {columns}
"""

_HOW_READ = """
    SELECT a.value_type, t.date_order, t.decimal_separator
    FROM annotations a JOIN documents d ON d.id = a.document_id
    JOIN memberships m ON m.channel_id = d.channel_id AND m.user_id = %(user_id)s
    LEFT JOIN templates t ON t.id = a.template_id
    WHERE a.document_id = %(document_id)s AND a.id = %(annotation_id)s AND a.value_type IS NOT NULL
"""
# An approved value needs no reason, except for being none.
_REASON_OF_APPROVED = ", reason = CASE WHEN a.normalised_value IS NULL THEN a.reason END"

_DELETE = """
    DELETE FROM annotations a USING documents d, memberships m
    WHERE d.id = %(document_id)s AND m.channel_id = d.channel_id AND m.user_id = %(user_id)s
      AND a.document_id = d.id AND a.id = %(annotation_id)s
    RETURNING a.id
"""


def annotation_create(*, document_id: int, user_id: int, values: dict[str, Any], once: Once) -> Annotation:
    """Create an annotation. `values` has all columns of `_SETTABLE`. Raises InvalidError for a box off the page."""
    parameters = {**values, "document_id": document_id, "user_id": user_id, "epsilon": EPSILON}

    def write(keep: Keep) -> Annotation:
        row = keep.write(_INSERT, _INSERT_ONCE, parameters)
        if row is None:
            _refuse(document_id=document_id, user_id=user_id, page=values["page"], box=_box(values))
        return annotation_from(row)

    return once.run(lambda: values, write, again=_again)


def _again(answer: str) -> Annotation:
    return annotation_from(statements.rows(_AGAIN, {"answer": answer})[0])


def annotation_update(*, document_id: int, annotation_id: int, user_id: int, changes: dict[str, Any]) -> Annotation:
    """Change the columns in `changes`; unchanged columns are checked together with the new values.

    Applying a template again leaves what a person changed, until a change to `pending` alone gives it back. A new text
    is read as the template's values are.
    """
    ids = {"document_id": document_id, "annotation_id": annotation_id, "user_id": user_id}
    if not changes:
        return selectors.annotation_get(**ids)

    given_back = changes == {"validation_status": "pending"}
    meaning = ""
    parameters = {**changes, **ids, "epsilon": EPSILON}
    if "text" in changes and (how := statements.row(_HOW_READ, ids)) is not None:
        meaning = ", normalised_value = %(normalised_value)s::jsonb, reason = %(reason)s::text"
        parameters |= _meaning(changes["text"], how)
    elif changes.get("validation_status") in ("valid", "corrected"):
        meaning = _REASON_OF_APPROVED

    def new(column: str) -> str:
        return _given(column) if column in changes else f"a.{column}"

    statement = _UPDATE.format(
        assignments=", ".join(f"{column} = {_given(column)}" for column in _SETTABLE if column in changes),
        meaning=meaning,
        fits=_fits(new),
        columns=COLUMNS,
        by="NULL" if given_back else "m.user_id",
        at="NULL" if given_back else "clock_timestamp()",
    )
    try:
        row = statements.row(statement, parameters)
    except IntegrityError as error:
        if "annotations_template_label_key" not in str(error):
            raise
        raise InvalidError(("page", "has an annotation of this label of the template already")) from None
    if row is None:
        merged = to_columns(dict(selectors.annotation_get(**ids))) | changes
        _refuse(document_id=document_id, user_id=user_id, page=merged["page"], box=_box(merged))
    return annotation_from(row)


def annotation_delete(*, document_id: int, annotation_id: int, user_id: int) -> None:
    """Delete an annotation. Any member of the channel may."""
    ids = {"document_id": document_id, "annotation_id": annotation_id, "user_id": user_id}
    if statements.row(_DELETE, ids) is None:
        selectors.annotation_get(**ids)
        raise NotFoundError(Code.NO_SUCH_ANNOTATION, annotation_id)


def _meaning(text: str | None, how: Row) -> dict[str, Any]:
    if text is None:
        return {"normalised_value": None, "reason": None}
    value, reason = read(text, how["value_type"], how["date_order"], how["decimal_separator"])
    return {"normalised_value": None if value is None else Jsonb(value), "reason": reason}


def _box(values: dict[str, Any]) -> Box:
    return Box.model_construct(**{side: values[column] for side, column in boxes.COLUMNS.items()})


def _refuse(*, document_id: int, user_id: int, page: int, box: Box) -> NoReturn:
    sizes = selectors.page_sizes(document_id=document_id, user_id=user_id)
    if not 1 <= page <= len(sizes):
        raise InvalidError(("page", f"must be from 1 to {len(sizes)}, the pages of the document"))
    if found := faults(box, *sizes[page - 1]):
        raise InvalidError(*found)
    # The box fits but was refused: the document was deleted in between.
    raise NotFoundError(Code.NO_SUCH_DOCUMENT, document_id)
