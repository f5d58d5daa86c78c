"""Carrying out the items of jobs, in worker processes."""

from __future__ import annotations

from typing import Any

from data_processor.applying.services import OvertakenError, template_apply
from data_processor.batches import progress
from data_processor.database import statements
from data_processor.documents.files.broken import BrokenFileError
from data_processor.jobs import retries
from data_processor.reading import services as reading
from data_processor.web.errors import ProblemError

# Items before jobs: every transaction locks in this order.
_CLAIM = """
    WITH claimed AS (
        UPDATE batch_items SET status = 'running', attempt = attempt + 1, error = NULL
        WHERE id = %(item_id)s AND status IN ('pending', 'running')
        RETURNING id, batch_job_id, document_id, attempt
    ), begun AS (
        UPDATE batch_jobs b SET status = 'running' FROM claimed c WHERE b.id = c.batch_job_id AND b.status = 'pending'
    )
    SELECT c.batch_job_id AS batch_id, c.document_id, c.attempt, b.template_id, b.status,
           m.user_id IS NOT NULL AS is_member
    FROM claimed c JOIN batch_jobs b ON b.id = c.batch_job_id
    LEFT JOIN memberships m ON m.channel_id = b.channel_id AND m.user_id = %(user_id)s
"""
_END = """
    UPDATE batch_items SET status = %(status)s, error = %(error)s
    WHERE id = %(item_id)s AND attempt = %(attempt)s AND status = 'running' RETURNING id
"""
# A worker that still has the item is overtaken.
_GIVE_UP = """
    UPDATE batch_items SET status = 'failed', error = %(error)s, attempt = attempt + 1
    WHERE id = %(item_id)s AND status IN ('pending', 'running') RETURNING batch_job_id AS batch_id
"""
_TEXT = "SELECT text_status, text_error FROM documents WHERE id = %(document_id)s"
_JOB = "SELECT batch_job_id AS batch_id FROM batch_items WHERE id = %(item_id)s"


def item_run(*, item_id: int, user_id: int) -> None:
    """Apply the job's template to the document of an item, for a user, and store the outcome.

    Raises errors that may pass. Does nothing for an item that has an outcome.
    """
    item = statements.row(_CLAIM, {"item_id": item_id, "user_id": user_id})
    if item is None:
        item = statements.row(_JOB, {"item_id": item_id})
    else:
        attempt = {"item_id": item_id, "attempt": item["attempt"]}
        status, error = _outcome(item, user_id, attempt)
        if status != "done":
            statements.row(_END, attempt | {"status": status, "error": error})
    if item is not None:
        # Also if it was done before: a worker may have ended between the last outcome and the count.
        progress.count(item["batch_id"])


def item_give_up(*, item_id: int, reason: str, **_: object) -> None:
    """Store that an item failed, whatever became of the workers that had it."""
    given_up = statements.row(_GIVE_UP, {"item_id": item_id, "error": reason})
    if given_up is not None:
        progress.count(given_up["batch_id"])


def _outcome(item: dict[str, Any], user_id: int, attempt: dict[str, Any]) -> tuple[str, str | None]:
    """Return the status of an item and the reason if it failed; `done` is already stored, with the annotations."""
    if item["status"] == "cancelled":
        return "cancelled", None
    if not item["is_member"]:
        return "failed", "the user who started this is no longer a member of the channel"
    if item["template_id"] is None:
        return "failed", "the template was deleted"
    if item["document_id"] is None:
        return "failed", "the document was deleted"
    try:
        if (error := _unreadable(item["document_id"])) is not None:
            return "failed", f"its text cannot be read: {error}"
        template_apply(
            document_id=item["document_id"],
            template_id=item["template_id"],
            user_id=user_id,
            guard=lambda _: statements.row(_END, attempt | {"status": "done", "error": None}) is not None,
        )
    except OvertakenError:
        pass  # another worker has it, and stores the outcome
    except (ProblemError, BrokenFileError) as error:
        if retries.may_pass(error):
            raise
        return "failed", str(error)
    return "done", None


def _unreadable(document_id: int) -> str | None:
    """Return why no page of a document can be read, None if one can. Reads it, if that was not done yet."""
    text = statements.row(_TEXT, {"document_id": document_id})
    if text is not None and text["text_status"] in ("pending", "running"):
        reading.document_read(document_id=document_id)
        text = statements.row(_TEXT, {"document_id": document_id})
    return text["text_error"] if text is not None and text["text_status"] == "failed" else None
