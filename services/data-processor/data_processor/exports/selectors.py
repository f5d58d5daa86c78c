"""Reading what is exported, a limited number of rows at a time. The caller holds one snapshot of the database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

from servicekit.codes import Code

from data_processor import access
from data_processor.database import statements
from data_processor.database.statements import Row
from data_processor.web.inputs import ID_MAX

DOCUMENTS_AT_A_TIME = 100
VALUES_AT_A_TIME = 500

_DOCUMENT_COLUMNS = """
    d.id AS document_id, d.channel_id, d.filename, d.media_type, d.size AS file_size, d.sha256, d.page_count,
    d.uploaded_by, d.created_at AS uploaded_at
"""
_ONE = f"""
    SELECT {_DOCUMENT_COLUMNS}, d.id AS place FROM documents d
    WHERE d.id = %(document_id)s AND d.id > %(place)s LIMIT %(limit)s
"""
# A range in the order of the index, not an equality (see statements.newest).
OF_CHANNEL = f"""
    SELECT {_DOCUMENT_COLUMNS}, d.id AS place FROM documents d
    WHERE (d.channel_id, d.id) > (%(channel_id)s, greatest(%(after)s, %(place)s))
      AND (d.channel_id, d.id) < (%(channel_id)s, %(before)s)
    ORDER BY d.channel_id, d.id LIMIT %(limit)s
"""
# Items whose documents were deleted have nothing to export.
_OF_JOB = f"""
    SELECT {_DOCUMENT_COLUMNS}, i.position AS place FROM batch_items i JOIN documents d ON d.id = i.document_id
    WHERE i.batch_job_id = %(batch_id)s AND i.position > %(place)s
    ORDER BY i.position LIMIT %(limit)s
"""
VALUES = """
    SELECT wanted.number, a.*
    FROM unnest(%(document_ids)s::bigint[]) WITH ORDINALITY AS wanted (document_id, number)
    CROSS JOIN LATERAL (
        SELECT a.id AS value_id, a.page, a.label_name AS label, a.label_type, a.value_type, a.text,
               a.normalised_value::text AS normalised, a.reason, a.validation_status AS status, a.confidence,
               a.box_x AS x, a.box_y AS y, a.box_width AS width, a.box_height AS height, a.template_id,
               a.template_version, a.expected_format, a.reviewed_by, a.reviewed_at, a.created_by, a.created_at,
               a.updated_at
        FROM annotations a
        WHERE a.document_id = wanted.document_id
          AND a.id > CASE WHEN wanted.number = %(number)s THEN %(value_id)s ELSE 0 END
          AND (NOT %(validated_only)s OR a.validation_status IN ('valid', 'corrected'))
        ORDER BY a.document_id, a.id LIMIT %(limit)s
    ) a
    WHERE wanted.number >= %(number)s
    ORDER BY wanted.number, a.value_id LIMIT %(limit)s
"""

_DOCUMENT = access.one("documents", "d", "d.filename")
_JOB = access.one("batch_jobs", "b", "b.id")


@dataclass(frozen=True, slots=True)
class Scope:
    """Which documents are exported, and the export's name without its suffix."""

    name: str
    statement: str
    parameters: Mapping[str, Any]


class Piece(NamedTuple):
    """A document with some of its values. `first` says that it is the document's first piece; there may be more."""

    document: Row
    first: bool
    values: list[Row]


def of_document(*, document_id: int, user_id: int) -> Scope:
    """Return the scope of one document. Raises NotFoundError, NotAMemberError."""
    document = access.find(_DOCUMENT, Code.NO_SUCH_DOCUMENT, object_id=document_id, user_id=user_id)
    name = document["filename"].rpartition(".")[0] or document["filename"]
    return Scope(name, _ONE, {"document_id": document_id})


def of_batch(*, batch_id: int, user_id: int) -> Scope:
    """Return the scope of a job: its documents in their order. Raises NotFoundError, NotAMemberError."""
    access.find(_JOB, Code.NO_SUCH_BATCH_JOB, object_id=batch_id, user_id=user_id)
    return Scope(f"batch-{batch_id}", _OF_JOB, {"batch_id": batch_id})


def of_channel(*, channel_id: int, user_id: int, after: int | None, before: int | None) -> Scope:
    """Return the scope of a channel: its documents between two ids, oldest first. Raises as `of_document`."""
    access.channel_require_member(channel_id=channel_id, user_id=user_id)
    parameters = {"channel_id": channel_id, "after": after or 0, "before": before or ID_MAX}
    return Scope(f"channel-{channel_id}", OF_CHANNEL, parameters)


def pieces(scope: Scope, *, validated_only: bool) -> Iterator[Piece]:
    """Yield every document of the scope with its values, in pieces."""
    place = 0
    while True:
        parameters = {**scope.parameters, "place": place, "limit": DOCUMENTS_AT_A_TIME}
        documents = statements.rows(scope.statement, parameters, statements.TRANSFER_S)
        yield from _with_values(documents, validated_only=validated_only)
        if len(documents) < DOCUMENTS_AT_A_TIME:
            return
        place = documents[-1]["place"]


def _with_values(documents: list[Row], *, validated_only: bool) -> Iterator[Piece]:
    begun = 0
    for number, values in _values([row["document_id"] for row in documents], validated_only=validated_only):
        # Documents without values come in between.
        for row in documents[begun : number - 1]:
            yield Piece(row, True, [])
        yield Piece(documents[number - 1], number > begun, values)
        begun = number
    for row in documents[begun:]:
        yield Piece(row, True, [])


def _values(document_ids: list[int], *, validated_only: bool) -> Iterator[tuple[int, list[Row]]]:
    """Yield values with the number of their document, counted from 1."""
    parameters = {"document_ids": document_ids, "validated_only": validated_only, "limit": VALUES_AT_A_TIME}
    number, value_id = 1, 0
    while document_ids:
        rows = statements.rows(VALUES, {**parameters, "number": number, "value_id": value_id}, statements.TRANSFER_S)
        for of_document, values in groupby(rows, key=lambda row: int(row["number"])):
            yield of_document, list(values)
        if len(rows) < VALUES_AT_A_TIME:
            return
        number, value_id = rows[-1]["number"], rows[-1]["value_id"]
