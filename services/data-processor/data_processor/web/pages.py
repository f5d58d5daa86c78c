"""Keyset pages: `?before=<id>&limit=<1..100>`, newest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse, QueryDict

from data_processor.web.errors import InvalidError

LIMIT_DEFAULT = 50
LIMIT_MAX = 100
_NO_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Page:
    """At most `limit` rows whose id is below `before`."""

    before: int
    limit: int

    @property
    def probe(self) -> int:
        """One row more than is shown: whether it exists says whether a next page does."""
        return self.limit + 1


def page_from(request: HttpRequest) -> Page:
    """Return the page that the query string asks for. Raises InvalidError."""
    query = request.GET
    limit = whole_number(query, "limit", 1, LIMIT_MAX)
    return Page(whole_number(query, "before", 1, _NO_ID) or _NO_ID, limit or LIMIT_DEFAULT)


def channel_from(request: HttpRequest) -> int | None:
    """Return `?channel_id=`, if it is there. Raises InvalidError."""
    return whole_number(request.GET, "channel_id", 1, _NO_ID)


def whole_number(values: QueryDict, name: str, least: int, most: int) -> int | None:
    """Return the named value as a number, or None if it is absent. Raises InvalidError outside of `least` to `most`."""
    text = values.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and least <= int(text) <= most):
        raise InvalidError((name, f"must be a whole number from {least} to {most}"))
    return int(text)


def answer(rows: Sequence[Mapping[str, Any]], page: Page) -> HttpResponse:
    """Return the page of `rows`, of which there are up to `page.probe`."""
    shown = rows[: page.limit]
    return json({"items": shown, "next": shown[-1]["id"] if len(rows) > page.limit else None})


def json(data: Any, status: int = 200) -> HttpResponse:
    """Return `data` as a JSON answer; moments are written as ISO-8601."""
    return HttpResponse(orjson.dumps(data), status=status, content_type="application/json")
