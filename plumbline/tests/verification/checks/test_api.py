"""Each difference between the declared API and the one of a stack is named with its place."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from plumbline.verification.checks import api

MEMBERS = ("backend", "paths", "/channels/{channel_id}/members", "get")


def test_an_api_does_not_differ_from_itself() -> None:
    assert [*api.differences(api.declared(), api.declared(), "API")] == []


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (
            (*MEMBERS, "parameters", "query limit", "schema", "maximum"), 1000,
            "get > parameters > query limit > schema > maximum: expected 100, found 1000",
        ),
        ((*MEMBERS, "responses", "403"), None, "get > responses > 403 is missing: expected"),
        ((*MEMBERS, "deprecated"), True, "get > deprecated is not declared: found true"),
        (("data-processor", "components", "schemas", "Box", "required"), ["x"], ': expected ["x", "y", "width", '),
    ],
    ids=["limit", "missing", "more", "list"],
)  # fmt: skip
def test_a_difference_is_named_with_its_place(place: tuple[str, ...], value: Any, said: str) -> None:
    changed = copy.deepcopy(api.declared())
    inner = changed
    for key in place[:-1]:
        inner = inner[key]
    if value is None:
        del inner[place[-1]]
    else:
        inner[place[-1]] = value
    service = place[0]
    (found,) = api.differences(api.declared()[service], changed[service], service)
    assert said in found


def test_texts_for_people_are_no_part_of_the_api() -> None:
    described = {"title": "A", "properties": {"title": {"type": "string", "description": "B"}}}
    assert api.without_words(described) == {"properties": {"title": {"type": "string"}}}
    assert api.without_words([{"in": "path", "name": "id", "description": "C"}]) == {
        "path id": {"in": "path", "name": "id"}
    }
