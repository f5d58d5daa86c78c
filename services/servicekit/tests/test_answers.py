"""The common parts of every service's responses: request ids, problems, health."""

from __future__ import annotations

import pytest
from servicekit import context, facts, health, problems
from servicekit.codes import Code


@pytest.mark.parametrize("header", ["a" * 8, "0f1e2d3c-aaaa-bbbb-cccc-000000000000", "A.b_c-1" * 9])
def test_a_well_formed_request_id_is_kept(header):
    assert context.accept_request_id(header) == header


@pytest.mark.parametrize(
    "header",
    [None, "", "short", "x" * 65, "with space", "line\nbreak", "trailing-newline\n", "ümlaut-1234", "a;b=c;d=e"],
)
def test_a_malformed_request_id_is_replaced(header):
    one, two = context.accept_request_id(header), context.accept_request_id(header)
    assert one != header
    assert one != two
    assert context.accept_request_id(one) == one


def test_a_problem_contains_its_request_id():
    token = context.request_id.set("r-12345678")
    try:
        body = problems.problem(Code.NO_SUCH_CHANNEL, "There is no channel 7.", channel_id=7)
    finally:
        context.request_id.reset(token)
    assert body == {
        "type": "about:blank", "title": "Not Found", "status": 404, "code": "no_such_channel",
        "detail": "There is no channel 7.", "request_id": "r-12345678", "channel_id": 7,
    }  # fmt: skip


def test_a_problem_of_an_unknown_status_still_has_a_title():
    assert problems.problem(Code.REFUSED, "y", status=499)["title"]


def test_a_code_that_is_not_listed_is_refused():
    with pytest.raises(ValueError, match="no_such_code"):
        problems.problem("no_such_code", "y")


def test_health_is_unavailable_only_with_a_reason():
    good = health.payload("backend", "abc", schema_revision="0001")
    assert good == {
        "service": "backend", "version": facts.VERSION, "stack_id": "abc", "status": "ok", "schema_revision": "0001",
    }  # fmt: skip
    bad = health.payload("backend", "abc", reason="database is away")
    assert (bad["status"], bad["reason"]) == ("unavailable", "database is away")
