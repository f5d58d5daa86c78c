"""Routes of batch jobs."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field
from servicekit.codes import Code

from data_processor import access
from data_processor.batches import selectors, services
from data_processor.batches.pages import ItemPage, ListedItems
from data_processor.batches.selectors import BatchJob
from data_processor.web import bodies
from data_processor.web.auth import Caller
from data_processor.web.operations import operation
from data_processor.web.pages import AnyChannelQuery, Listed, PageQuery
from data_processor.web.repeats import Keep, Repeatable

DOCUMENTS_MAX = 10_000

_ONE = access.refusals(Code.NO_SUCH_BATCH_JOB)


def _distinct(ids: list[int]) -> list[int]:
    seen: set[int] = set()
    twice = sorted({number for number in ids if number in seen or seen.add(number)})  # type: ignore[func-returns-value]
    if twice:
        raise ValueError(f"must not repeat ids: {', '.join(map(str, twice[:20]))}")
    return ids


class BatchInput(bodies.Body):
    """A new job."""

    model_config = bodies.example(channel_id=1, template_id=1, document_ids=[1, 2])

    channel_id: bodies.Id
    template_id: bodies.Id
    document_ids: Annotated[list[bodies.Id], Field(min_length=1, max_length=DOCUMENTS_MAX), AfterValidator(_distinct)]


@operation(refuses=access.CHANNEL_REFUSALS)
def batch_list(caller: Caller, page: PageQuery, channel_id: AnyChannelQuery) -> Listed[BatchJob]:
    """Return a page of the jobs of one channel, or of all channels of the caller, without their items."""
    return page.of(selectors.batch_list(channel_id=channel_id, user_id=caller.user_id, page=page))


@operation(status=202, refuses=(*access.CHANNEL_REFUSALS, Code.NO_SUCH_TEMPLATE))
def batch_create(caller: Caller, once: Repeatable, body: BatchInput) -> BatchJob:
    """Start a job that applies a template to documents of its channel, each once."""
    values = body.model_dump()

    def write(keep: Keep) -> BatchJob:
        return services.batch_create(user_id=caller.user_id, **values, keep=keep)

    return once.run(lambda: values, write, again=selectors.batch_again)


@operation(refuses=_ONE)
def batch_read(caller: Caller, batch_id: int) -> BatchJob:
    """Return one job with its progress."""
    return selectors.batch_get(batch_id=batch_id, user_id=caller.user_id)


@operation(refuses=_ONE)
def batch_items(caller: Caller, batch_id: int, page: ItemPage) -> ListedItems:
    """Return a page of a job's documents in their order, with the outcome of each."""
    items = selectors.batch_items(
        batch_id=batch_id, user_id=caller.user_id, after=page.after, limit=page.limit + 1, status=page.status
    )
    return page.of(items)


@operation(refuses=_ONE)
def batch_cancel(caller: Caller, batch_id: int) -> BatchJob:
    """Cancel what a job has not begun. What it has done stays. Changes nothing if the job has ended."""
    return services.batch_cancel(batch_id=batch_id, user_id=caller.user_id)


@operation(status=202, refuses=_ONE)
def batch_retry(caller: Caller, batch_id: int) -> BatchJob:
    """Run again, on behalf of the caller, what failed or was cancelled. Changes nothing if there is none."""
    return services.batch_retry(batch_id=batch_id, user_id=caller.user_id)
