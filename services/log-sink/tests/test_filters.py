from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from log_sink.filters import BadQueryError, parse_filter

Make = Callable[..., dict[str, Any]]


@pytest.mark.parametrize(
    ("query", "matches"),
    [
        ({}, True),
        ({"service": "backend"}, True),
        ({"service": "caddy"}, False),
        ({"service": "caddy, backend"}, True),
        ({"level": "error"}, True),
        ({"level": "warning,critical"}, False),
        ({"request_id": "abc"}, True),
        ({"request_id": "ab"}, False),
        ({"q": "DISK"}, True),
        ({"q": "valueerror"}, True),
        ({"q": "blue"}, True),
        ({"q": "colour"}, True),
        ({"q": "green"}, False),
        ({"q": "disk", "service": "caddy"}, False),
    ],
)
def test_matching(entry: Make, query: dict[str, str], matches: bool) -> None:
    fields = {"colour": ["blue"]}
    one = entry("Disk full", level="error", request_id="abc", exception="ValueError: x", fields=fields)
    assert parse_filter(query.items()).matches(one) is matches


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ([("level", "info")], "level"),
        ([("level", "error,loud")], "level"),
        ([("limit", "0")], "limit"),
        ([("limit", "201")], "limit"),
        ([("limit", "-1")], "limit"),
        ([("limit", "ten")], "limit"),
        ([("limit", "²")], "limit"),
        ([("q", "x" * 201)], "q"),
        ([("servcie", "backend")], "servcie"),
        ([("q", "a"), ("q", "b")], "q"),
    ],
)
def test_refusals_name_the_field(query: list[tuple[str, str]], field: str) -> None:
    with pytest.raises(BadQueryError) as caught:
        parse_filter(query, also=("limit",))
    assert [error["field"] for error in caught.value.errors] == [field]
