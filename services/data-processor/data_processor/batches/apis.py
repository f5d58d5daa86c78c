"""Routes of batch jobs."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field
from servicekit.codes import Code

from data_processor import access
from data_processor.batches import selectors, services
from data_processor.batches.selectors import BatchJob, BatchJobWithItems
from data_processor.web import bodies
from data_processor.web.auth import Caller
from data_processor.web.operations import operation
from data_processor.web.pages import AnyChannelQuery, Listed, PageQuery

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


@operation(refuses=access.CHANNEL_REFUSALS)
def batch_list(caller: Caller, page: PageQuery, channel_id: AnyChannelQuery) -> Listed[BatchJob]:
    """Answer a page of the jobs of one channel, or of all channels of the caller, without their items."""
    return page.of(selectors.batch_list(channel_id=channel_id, user_id=caller.user_id, page=page))


@operation(status=202, refuses=(*access.CHANNEL_REFUSALS, Code.NO_SUCH_TEMPLATE))
def batch_create(caller: Caller, body: BatchInput) -> BatchJobWithItems:
    """Take a job; it is pending until a worker takes it up."""
    return services.batch_create(user_id=caller.user_id, **body.model_dump())


@operation(refuses=access.refusals(Code.NO_SUCH_BATCH_JOB))
def batch_read(caller: Caller, batch_id: int) -> BatchJobWithItems:
    """Answer one job with the outcome of each document."""
    return selectors.batch_get(batch_id=batch_id, user_id=caller.user_id)
