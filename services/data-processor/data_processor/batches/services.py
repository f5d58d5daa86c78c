"""Creating, cancelling and repeating jobs. Each change is one transaction, with the queue's rows in it."""

from __future__ import annotations

from typing import NoReturn

from django.db import transaction

from data_processor import access
from data_processor.batches import progress, selectors
from data_processor.batches.selectors import BatchJob
from data_processor.database import statements
from data_processor.database.statements import Row
from data_processor.jobs import deferring
from data_processor.templates import selectors as templates
from data_processor.web.errors import InvalidError
from data_processor.web.repeats import Keep

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
    )
    INSERT INTO batch_items (batch_job_id, position, document_id, filename)
    SELECT b.id, chosen.position, chosen.id, chosen.filename FROM b, chosen
    RETURNING batch_job_id AS batch_id, id, position
"""

_ELSEWHERE = """
    SELECT wanted.id FROM unnest(%(document_ids)s::bigint[]) WITH ORDINALITY AS wanted (id, position)
    LEFT JOIN documents d ON d.id = wanted.id AND d.channel_id = %(channel_id)s
    WHERE d.id IS NULL ORDER BY wanted.position
"""
_IDS_NAMED = 20

# Items before jobs: every transaction locks in this order.
_CANCEL_ITEMS = """
    UPDATE batch_items SET status = 'cancelled' WHERE batch_job_id = %(batch_id)s AND status = 'pending' RETURNING id
"""
_CANCEL = """
    UPDATE batch_jobs SET status = 'cancelled' WHERE id = %(batch_id)s AND finished_at IS NULL RETURNING id
"""
_CLEAR_QUEUE = "DELETE FROM procrastinate_jobs WHERE queue_name = %(queue)s AND status = 'todo' RETURNING id"
_REOPEN_ITEMS = """
    UPDATE batch_items SET status = 'pending', error = NULL
    WHERE batch_job_id = %(batch_id)s AND status IN ('failed', 'cancelled') RETURNING id, position
"""
_REOPEN = "UPDATE batch_jobs SET status = 'running', finished_at = NULL WHERE id = %(batch_id)s RETURNING id"


def batch_create(*, channel_id: int, user_id: int, template_id: int, document_ids: list[int], keep: Keep) -> BatchJob:
    """Start a job: a template is applied to documents, all of one channel.

    Raises NotFoundError, NotAMemberError, and InvalidError that names the ids which are not of the channel.
    """
    parameters = {
        "channel_id": channel_id,
        "user_id": user_id,
        "template_id": template_id,
        "document_ids": document_ids,
        "total": len(document_ids),
    }
    with transaction.atomic():
        items = statements.rows(_INSERT, parameters, statements.TRANSFER_S)
        if items:
            batch_id = items[0]["batch_id"]
            _defer(batch_id, items, user_id)
            job = selectors.batch_get(batch_id=batch_id, user_id=user_id, read=keep.row)
    if not items:
        _refuse(channel_id=channel_id, user_id=user_id, template_id=template_id, document_ids=document_ids)
    return job


def _refuse(*, channel_id: int, user_id: int, template_id: int, document_ids: list[int]) -> NoReturn:
    access.channel_require_member(channel_id=channel_id, user_id=user_id)
    if templates.template_get(template_id=template_id, user_id=user_id)["channel_id"] != channel_id:
        raise InvalidError(("template_id", f"template {template_id} is not of channel {channel_id}"))
    rows = statements.rows(_ELSEWHERE, {"channel_id": channel_id, "document_ids": document_ids})
    absent = [row["id"] for row in rows]
    named = ", ".join(map(str, absent[:_IDS_NAMED]))
    rest = f" and {len(absent) - _IDS_NAMED} more" if len(absent) > _IDS_NAMED else ""
    raise InvalidError(("document_ids", f"not documents of channel {channel_id}: {named}{rest}"))


def batch_cancel(*, batch_id: int, user_id: int) -> BatchJob:
    """Cancel what has not begun. Does nothing if the job has ended."""
    selectors.batch_get(batch_id=batch_id, user_id=user_id)
    with transaction.atomic():
        statements.rows(_CANCEL_ITEMS, {"batch_id": batch_id}, statements.TRANSFER_S)
        statements.row(_CANCEL, {"batch_id": batch_id})
        statements.rows(_CLEAR_QUEUE, {"queue": deferring.batch_queue(batch_id)}, statements.TRANSFER_S)
    progress.count(batch_id, at_once=True)
    return selectors.batch_get(batch_id=batch_id, user_id=user_id)


def batch_retry(*, batch_id: int, user_id: int) -> BatchJob:
    """Run again what failed or was cancelled, for this user. Does nothing if all is done or still to come."""
    selectors.batch_get(batch_id=batch_id, user_id=user_id)
    with transaction.atomic():
        items = statements.rows(_REOPEN_ITEMS, {"batch_id": batch_id}, statements.TRANSFER_S)
        if items:
            statements.row(_REOPEN, {"batch_id": batch_id})
            _defer(batch_id, items, user_id)
    if items:
        progress.count(batch_id, at_once=True)
    return selectors.batch_get(batch_id=batch_id, user_id=user_id)


def _defer(batch_id: int, items: list[Row], user_id: int) -> None:
    ordered = sorted((item["position"], item["id"]) for item in items)
    deferring.defer_items(batch_id, [(item_id, position) for position, item_id in ordered], user_id=user_id)
