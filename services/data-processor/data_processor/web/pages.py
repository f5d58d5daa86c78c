"""Keyset pages: `?before=<id>&limit=<1..100>`, newest first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar, cast

from django.http import HttpRequest
from typing_extensions import TypedDict

from data_processor.web.inputs import ID_MAX, QUERY_REFUSALS, Number, Source

BEFORE = Number("before", "Only items whose id is smaller: `next` of the page before.")
LIMIT = Number("limit", "Most items in the answer.", most=100, default=50)

_ABOUT_CHANNEL = "Only what belongs to this channel."
ChannelQuery = Annotated[int, Number("channel_id", _ABOUT_CHANNEL, missing="say which channel: ?channel_id=").source()]
AnyChannelQuery = Annotated[int | None, Number("channel_id", _ABOUT_CHANNEL).source()]

Item = TypeVar("Item", bound=Mapping[str, Any])


class Listed(TypedDict, Generic[Item]):
    """A page of a list, newest first."""

    items: list[Item]
    next: int | None


@dataclass(frozen=True, slots=True)
class Page:
    """At most `limit` rows whose id is below `before`."""

    before: int
    limit: int

    @property
    def probe(self) -> int:
        """One row more than is shown: if it exists, there is a next page."""
        return self.limit + 1

    def of(self, rows: list[Item]) -> Listed[Item]:
        """Return the page of `rows`, of which there are up to `probe`."""
        shown = rows[: self.limit]
        return {"items": shown, "next": shown[-1]["id"] if len(rows) > self.limit else None}


def _page_from(request: HttpRequest) -> Page:
    limit = LIMIT.within(request.GET)
    return Page(BEFORE.within(request.GET) or ID_MAX, limit or cast(int, LIMIT.default))


PageQuery = Annotated[Page, Source(_page_from, QUERY_REFUSALS, (BEFORE.parameter(), LIMIT.parameter()))]
