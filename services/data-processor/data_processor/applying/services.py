"""Applying a template to a document: found outside of a transaction, written in one, told after its commit."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from django.db import connection, transaction
from psycopg.types.json import Jsonb
from servicekit.codes import Code
from typing_extensions import TypedDict

from data_processor import events
from data_processor.annotations.selectors import Annotation
from data_processor.applying import selectors, texts
from data_processor.applying.findings import Finding, Found, PageResult, Plan, find
from data_processor.database import statements
from data_processor.database.statements import Row
from data_processor.frames import TemplateApplied
from data_processor.web.errors import ConflictError, InvalidError, NotFoundError

FINDINGS_MAX = 5_000
"""Most labels of all pages together."""
_ATTEMPTS = 3
_REGIONS_MAX = 200
_REGION_TEXT_MAX = 200


class OvertakenError(Exception):
    """The guard of a run refused: another worker has taken over."""


class MatchResult(TypedDict):
    """The match of all pages together, as clients of the old stack know it."""

    success: bool
    confidence: float
    inlier_count: int
    total_matches: int
    requires_manual_anchors: bool
    error_message: str | None


class Applied(TypedDict):
    """What applying a template did. `annotations` are all of this template on the document, also a person's word.

    `missing_required` names the required labels without a value; `pages` says how sure the place of each page is.
    """

    document_id: int
    template_id: int
    template_version: int
    annotations_created: int
    annotations: list[Annotation]
    missing_required: list[str]
    needs_review: bool
    pages: list[PageResult]
    used_feature_matching: bool
    match_result: MatchResult


_LOCK_DOCUMENT = """
    SELECT d.channel_id FROM documents d JOIN memberships m ON m.channel_id = d.channel_id AND m.user_id = %(user_id)s
    WHERE d.id = %(document_id)s FOR NO KEY UPDATE OF d FOR KEY SHARE OF m
"""
_LOCK_TEMPLATE = "SELECT version FROM templates WHERE id = %(template_id)s FOR SHARE"

# A person who changes one at this moment comes first or later, not in between.
_LOCK_MADE = """
    SELECT id FROM annotations WHERE document_id = %(document_id)s AND template_id = %(template_id)s
    ORDER BY id FOR UPDATE
"""

_FINDING = (
    "label_id bigint, page integer, box_x float8, box_y float8, box_width float8, box_height float8, text text, "
    "confidence float8, validation_status text, normalised_value jsonb, reason text"
)
_FOUND = [column.split()[0] for column in _FINDING.split(", ")][2:]
_OF_LABEL = ("label_type", "colour", "value_type", "expected_format")
_WRITTEN = ("label_name", "template_version", *_OF_LABEL, *_FOUND)

# What a person reviewed stays as it is, and so does what did not change.
_PUT = f"""
    INSERT INTO annotations AS a
        (document_id, created_by, template_id, template_label_id, page, {", ".join(_WRITTEN)})
    SELECT %(document_id)s, %(user_id)s, l.template_id, l.id, f.page, l.name, %(version)s,
           {", ".join(f"l.{column}" for column in _OF_LABEL)}, {", ".join(f"f.{column}" for column in _FOUND)}
    FROM jsonb_to_recordset(%(findings)s) AS f ({_FINDING})
    JOIN template_labels l ON l.id = f.label_id AND l.template_id = %(template_id)s
    WHERE l.every_page OR NOT EXISTS (
        SELECT FROM annotations r WHERE r.template_label_id = l.id AND r.document_id = %(document_id)s
          AND r.reviewed_at IS NOT NULL AND r.page <> f.page
    )
    ORDER BY f.page, l.position
    ON CONFLICT (template_label_id, document_id, page) WHERE template_label_id IS NOT NULL DO UPDATE
    SET {", ".join(f"{column} = excluded.{column}" for column in _WRITTEN)}, updated_at = clock_timestamp()
    WHERE a.reviewed_at IS NULL
      AND ({", ".join(f"a.{column}" for column in _WRITTEN)})
          IS DISTINCT FROM ({", ".join(f"excluded.{column}" for column in _WRITTEN)})
    RETURNING (a.xmax = 0) AS created
"""
# What an earlier run found and this one did not.
_CLEAR = """
    DELETE FROM annotations a
    WHERE a.document_id = %(document_id)s AND a.template_id = %(template_id)s AND a.reviewed_at IS NULL
      AND NOT EXISTS (
          SELECT FROM jsonb_to_recordset(%(findings)s) AS f (label_id bigint, page integer)
          WHERE f.label_id = a.template_label_id AND f.page = a.page
      )
    RETURNING 1
"""


def template_apply(
    *,
    document_id: int,
    template_id: int,
    user_id: int,
    confidence_threshold: float = 0.6,
    use_feature_matching: bool = True,
    force: bool = False,
    unread_max: int | None = None,
    guard: Callable[[Any], bool] | None = None,
) -> Applied:
    """Look for the labels of a template on a document and store what is found as annotations.

    `guard` runs once in the transaction, before anything is written: if it returns False, OvertakenError is raised.
    Pages that are not read yet are read first, up to `unread_max`: none in a request.
    """
    for _ in range(_ATTEMPTS):
        document = selectors.document(document_id=document_id, user_id=user_id)
        template = selectors.template(template_id=template_id, user_id=user_id)
        if template["channel_id"] != document["channel_id"]:
            raise InvalidError(("template_id", f"is a template of another channel than document {document_id}"))
        plan = Plan(
            labels=template["labels"],
            anchors=template["anchors"],
            date_order=template["date_order"],
            decimal_separator=template["decimal_separator"],
            confidence_threshold=confidence_threshold,
            use_feature_matching=use_feature_matching,
            force=force,
        )
        found = _found(plan, document_id, document["page_count"], unread_max)
        ids = {"document_id": document_id, "template_id": template_id, "user_id": user_id}
        finish = partial(_finished, document["channel_id"], plan, ids, template["version"], found)
        applied = _write(ids, template["version"], found.findings, guard, finish)
        if applied is not None:
            return applied
    raise ConflictError(Code.TEMPLATE_CHANGED, f"template {template_id} is being changed: apply it again")


def _found(plan: Plan, document_id: int, page_count: int, unread_max: int | None) -> Found:
    numbers = [number for number in range(1, page_count + 1) if plan.on_page(number)]
    looked_for = sum(len(plan.on_page(number)) for number in numbers)
    if looked_for > FINDINGS_MAX:
        raise InvalidError(
            ("template_id", f"has {looked_for} labels on the pages of this document: the most are {FINDINGS_MAX}")
        )
    read = texts.read(document_id, numbers, unread_max=unread_max)
    statements.release_connection()
    return find(plan, {number: texts.page_of(text) for number, text in read.items()})


def _write(
    ids: dict[str, int],
    version: int,
    findings: list[Finding],
    guard: Callable[[Any], bool] | None,
    finish: Callable[[int, list[Annotation]], Applied],
) -> Applied | None:
    """Return what `finish` makes, in the transaction, of how many annotations are new, and of all.

    None: the template has changed, and so nothing was written.
    """
    values = ids | {"version": version, "findings": Jsonb(findings)}
    with transaction.atomic():
        # One run at a time writes to a document.
        if statements.row(_LOCK_DOCUMENT, ids) is None:
            # Raises the refusal: it was deleted, or the user has left.
            selectors.document(document_id=ids["document_id"], user_id=ids["user_id"])
            raise NotFoundError(Code.NO_SUCH_DOCUMENT, ids["document_id"])
        locked = statements.row(_LOCK_TEMPLATE, ids)
        if locked is None:
            raise NotFoundError(Code.NO_SUCH_TEMPLATE, ids["template_id"])
        if locked["version"] != version:
            return None
        if guard is not None:
            with connection.cursor() as cursor:
                if not guard(cursor):
                    raise OvertakenError
        statements.rows(_LOCK_MADE, ids)
        put: list[Row] = statements.rows(_PUT, values, statements.TRANSFER_S)
        statements.row(_CLEAR, values, statements.TRANSFER_S)
        made = selectors.annotations_made(document_id=ids["document_id"], template_id=ids["template_id"])
        return finish(sum(row["created"] for row in put), made)


def _finished(
    channel_id: int,
    plan: Plan,
    ids: dict[str, int],
    version: int,
    found: Found,
    created: int,
    annotations: list[Annotation],
) -> Applied:
    """Return what applying a template made, and tell the members of the channel."""
    present = {annotation["template_label_id"] for annotation in annotations}
    anchored = [page for page in found.pages if page["method"] == "anchors"]
    inliers = sum(page["inliers"] for page in found.pages)
    total = sum(page["total"] for page in found.pages)
    unsure = [page for page in found.pages if page["needs_review"]]
    applied: Applied = {
        "document_id": ids["document_id"],
        "template_id": ids["template_id"],
        "template_version": version,
        "annotations_created": created,
        "annotations": annotations,
        "missing_required": [label.name for label in plan.labels if label.required and label.id not in present],
        "needs_review": bool(unsure),
        "pages": found.pages,
        "used_feature_matching": bool(anchored),
        "match_result": {
            "success": bool(found.pages) and not unsure,
            "confidence": inliers / total if total else 0.0,
            "inlier_count": inliers,
            "total_matches": total,
            "requires_manual_anchors": len(anchored) < len(found.pages),
            "error_message": next((page["reason"] for page in unsure if page["reason"]), None),
        },
    }
    _tell(channel_id, applied)
    return applied


def _tell(channel_id: int, applied: Applied) -> None:
    frame: TemplateApplied = {
        "type": "template_applied",
        "document_id": applied["document_id"],
        "channel_id": channel_id,
        "template_id": applied["template_id"],
        "matched_regions": [
            {
                "label_id": annotation["template_label_id"],
                "label_name": annotation["label_name"],
                "label_type": annotation["label_type"],
                **annotation["bounding_box"],
                "matched_text": (annotation["text"] or "")[:_REGION_TEXT_MAX],
                "confidence": annotation["confidence"],
            }
            for annotation in applied["annotations"][:_REGIONS_MAX]
        ],
        "confidence": applied["match_result"]["confidence"],
    }
    events.tell(channel_id, frame)
