"""Routes of batch jobs."""

from __future__ import annotations

from typing import Annotated

from django.http import HttpRequest, HttpResponse
from pydantic import AfterValidator, Field

from data_processor.batches import selectors, services
from data_processor.web import bodies, pages
from data_processor.web.auth import identify

DOCUMENTS_MAX = 1000


def _distinct(ids: list[int]) -> list[int]:
    seen: set[int] = set()
    twice = sorted({number for number in ids if number in seen or seen.add(number)})  # type: ignore[func-returns-value]
    if twice:
        raise ValueError(f"must not repeat ids: {', '.join(map(str, twice[:20]))}")
    return ids


class BatchInput(bodies.Body):
    """A new job."""

    channel_id: bodies.Id
    template_id: bodies.Id
    document_ids: Annotated[list[bodies.Id], Field(min_length=1, max_length=DOCUMENTS_MAX), AfterValidator(_distinct)]


def batch_list(request: HttpRequest) -> HttpResponse:
    """Answer a page of the jobs of one channel, or of all channels of the caller, without their items."""
    identity = identify(request)
    page = pages.page_from(request)
    rows = selectors.batch_list(channel_id=pages.channel_from(request), user_id=identity.user_id, page=page)
    return pages.answer(rows, page)


def batch_create(request: HttpRequest) -> HttpResponse:
    """Take a job; it is pending until a worker takes it up."""
    identity = identify(request)
    body = bodies.read(request, BatchInput)
    row = services.batch_create(
        channel_id=body.channel_id,
        user_id=identity.user_id,
        template_id=body.template_id,
        document_ids=body.document_ids,
    )
    return pages.json(row, 202)


def batch_read(request: HttpRequest, batch_id: int) -> HttpResponse:
    """Answer one job with the outcome of each document."""
    row = selectors.batch_get(batch_id=batch_id, user_id=identify(request).user_id)
    return pages.json(row)
