"""Creating batch jobs."""

from __future__ import annotations

from typing import NoReturn

from data_processor import access
from data_processor.batches import selectors
from data_processor.batches.selectors import BatchJobWithItems
from data_processor.database import statements
from data_processor.templates import selectors as templates
from data_processor.web.errors import InvalidError

# Writes nothing unless template and documents are all of the channel: then the count of documents is the count of ids.
_INSERT = """
    WITH chosen AS (
        SELECT d.id, d.filename, wanted.position
        FROM unnest(%(document_ids)s::bigint[]) WITH ORDINALITY AS wanted (id, position)
        JOIN documents d ON d.id = wanted.id AND d.channel_id = %(channel_id)s
        FOR KEY SHARE OF d
    ), b AS (
        INSERT INTO batch_jobs (channel_id, template_id, total, created_by)
        SELECT m.channel_id, t.id, %(total)s, m.user_id
        FROM memberships m JOIN templates t ON t.channel_id = m.channel_id
        WHERE m.channel_id = %(channel_id)s AND m.user_id = %(user_id)s AND t.id = %(template_id)s
          AND (SELECT count(*) FROM chosen) = %(total)s
        RETURNING id
    ), items AS (
        INSERT INTO batch_items (batch_job_id, position, document_id, filename)
        SELECT b.id, chosen.position, chosen.id, chosen.filename FROM b, chosen
    )
    SELECT id FROM b
"""

_ELSEWHERE = """
    SELECT wanted.id FROM unnest(%(document_ids)s::bigint[]) WITH ORDINALITY AS wanted (id, position)
    LEFT JOIN documents d ON d.id = wanted.id AND d.channel_id = %(channel_id)s
    WHERE d.id IS NULL ORDER BY wanted.position
"""

_IDS_NAMED = 20


def batch_create(*, channel_id: int, user_id: int, template_id: int, document_ids: list[int]) -> BatchJobWithItems:
    """Record a job: a template that is to be applied to documents, all of one channel.

    Raises NotFoundError, NotAMemberError, and InvalidError that names the ids which are not of the channel.
    """
    parameters = {
        "channel_id": channel_id,
        "user_id": user_id,
        "template_id": template_id,
        "document_ids": document_ids,
        "total": len(document_ids),
    }
    created = statements.row(_INSERT, parameters)
    if created is None:
        _refuse(channel_id=channel_id, user_id=user_id, template_id=template_id, document_ids=document_ids)
    return selectors.batch_get(batch_id=created["id"], user_id=user_id)


def _refuse(*, channel_id: int, user_id: int, template_id: int, document_ids: list[int]) -> NoReturn:
    access.channel_require_member(channel_id=channel_id, user_id=user_id)
    if templates.template_get(template_id=template_id, user_id=user_id)["channel_id"] != channel_id:
        raise InvalidError(("template_id", f"template {template_id} is not of channel {channel_id}"))
    rows = statements.rows(_ELSEWHERE, {"channel_id": channel_id, "document_ids": document_ids})
    absent = [row["id"] for row in rows]
    named = ", ".join(map(str, absent[:_IDS_NAMED])) + (", …" if len(absent) > _IDS_NAMED else "")
    refusal = InvalidError(("document_ids", f"channel {channel_id} has no documents with these ids: {named}"))
    refusal.extra["document_ids"] = absent
    raise refusal
