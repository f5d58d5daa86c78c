"""Pages of a job's items: `?after=<position>&limit=<1..100>&status=<status>`, in their order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, cast, get_args

from django.http import HttpRequest
from typing_extensions import TypedDict

from data_processor.batches.selectors import BatchItem
from data_processor.choices import BatchStatus
from data_processor.web.errors import InvalidError
from data_processor.web.inputs import QUERY_REFUSALS, Number, Source
from data_processor.web.pages import LIMIT

_AFTER = Number("after", "Only items beyond this position: `next` of the page before.", most=2**31 - 1)
_STATUS = {
    "name": "status",
    "in": "query",
    "required": False,
    "description": "Only items of this status.",
    "schema": {"type": "string", "enum": list(get_args(BatchStatus))},
}


class ListedItems(TypedDict):
    """A page of a job's items, in their order."""

    items: list[BatchItem]
    next: int | None


@dataclass(frozen=True, slots=True)
class _Page:
    """At most `limit` items beyond position `after`, of one status or of all."""

    after: int
    limit: int
    status: BatchStatus | None

    def of(self, items: list[BatchItem]) -> ListedItems:
        """Return the page of `items`, of which there may be one more than fits."""
        shown = items[: self.limit]
        return {"items": shown, "next": shown[-1]["position"] if len(items) > self.limit else None}


def _from(request: HttpRequest) -> _Page:
    status = request.GET.get("status")
    if status is not None and status not in get_args(BatchStatus):
        raise InvalidError(("status", f"must be one of {', '.join(get_args(BatchStatus))}"))
    limit = LIMIT.within(request.GET) or cast(int, LIMIT.default)
    return _Page(_AFTER.within(request.GET) or 0, limit, cast(BatchStatus | None, status))


ItemPage = Annotated[_Page, Source(_from, QUERY_REFUSALS, (_AFTER.parameter(), LIMIT.parameter(), _STATUS))]
