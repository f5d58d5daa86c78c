"""Routes of batch jobs. Jobs that an earlier release recorded can be read; `not_implemented` answers the others."""

from __future__ import annotations

from servicekit.codes import Code

from data_processor import access
from data_processor.batches import selectors
from data_processor.batches.selectors import BatchJob, BatchJobWithItems
from data_processor.web.auth import Caller
from data_processor.web.operations import operation
from data_processor.web.pages import AnyChannelQuery, Listed, PageQuery


@operation(refuses=access.CHANNEL_REFUSALS)
def batch_list(caller: Caller, page: PageQuery, channel_id: AnyChannelQuery) -> Listed[BatchJob]:
    """Return a page of the jobs of one channel, or of all channels of the caller, without their items."""
    return page.of(selectors.batch_list(channel_id=channel_id, user_id=caller.user_id, page=page))


@operation(refuses=access.refusals(Code.NO_SUCH_BATCH_JOB))
def batch_read(caller: Caller, batch_id: int) -> BatchJobWithItems:
    """Return one job with the outcome of each document."""
    return selectors.batch_get(batch_id=batch_id, user_id=caller.user_id)
