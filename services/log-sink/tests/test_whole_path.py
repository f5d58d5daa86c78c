"""From a logger's call to the entry that an operator reads: small, clean and without secrets for any input."""

from __future__ import annotations

import itertools
import json
import logging
import re
from collections.abc import Callable
from typing import Any

import orjson
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from servicekit.facts import ENTRY_MAX_BYTES
from servicekit.log import lines

from plumbline.verification.checks.texts import unsafe_texts
from plumbline.verification.throwaway import wait_until

Make = Callable[..., dict[str, Any]]
SECRET = "hunter2Zx81q"

_numbers = itertools.count()
anything = st.text(alphabet=st.characters(codec=None)) | st.sampled_from(
    ["\x1b[31mred\x1b[0m", "nul\0byte", "line\u2028sep", "x" * 1_000_000, "🙂" * 20_000, '"\\' * 20_000, "\ud800"]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.binary() | anything,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(anything | st.integers(), inner, max_size=4),
    max_leaves=12,
)
spelt = st.sampled_from(
    [
        f"password={SECRET}", f'{{"apiKey": "{SECRET}"}}', f"postgresql://app_user:{SECRET}@db/app_db",
        f"Authorization: Bearer {SECRET}", f"Set-Cookie: access_token={SECRET}; Path=/", f"GET /x?token={SECRET}&page=2"
    ]
)  # fmt: skip
names = st.sampled_from(["db_password", "apiKey", "X-Api-Key", "Authorization", "set-cookie", "sessionToken"])
calm = settings(
    deadline=None,
    max_examples=40,
    # Shrinking on a real sink takes minutes.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


def read_whole(sink: Any, *lines: bytes) -> list[bytes]:
    """Send lines and return their entries from the API, oldest first."""
    mark = f"mark-{next(_numbers)}"
    sink.post(*lines, service_mark(mark))
    wait_until(lambda: any(one["message"] == mark for one in sink.kept(limit="1")), "the lines are in")
    items = [one for one in sink.kept() if one["service"] == "backend"]
    marked = [one["message"] for one in items].index(mark)
    return [orjson.dumps(one) for one in items[marked + 1 : marked + 1 + len(lines)]][::-1]


def service_mark(text: str) -> dict[str, Any]:
    return {"level": "warning", "service": "backend", "message": text}


@given(message=anything, fields=values, secret=spelt, name=names, error=anything)
@calm
def test_entries_of_a_service_are_small_clean_and_without_secrets(
    sink: Any, message: str, fields: Any, secret: str, name: str, error: str
) -> None:
    try:
        raise ValueError(f"{error} {secret}")
    except ValueError as caught:
        record = logging.LogRecord("app", logging.ERROR, "", 0, f"{message} {secret}", (), (ValueError, caught, None))
    record.given, record.inside = fields, {name: [SECRET], "text": secret}
    line = lines.line_from(record, "backend").rstrip(b"\n")
    (read,) = read_whole(sink, line)
    assert len(read) <= ENTRY_MAX_BYTES
    assert SECRET.encode() not in read
    entry = json.loads(read)
    assert unsafe_texts(entry) == []
    assert entry == {**json.loads(line), "id": entry["id"]}, "the sink changed a clean entry"


@given(st.binary(max_size=400), st.sampled_from(["message", "exception", "logger", "request_id", "ts", "fields"]))
@calm
def test_entries_of_any_sender_are_small_and_clean(sink: Any, rubbish: bytes, where: str) -> None:
    # Without line end and quotation mark, so that it stays one line with a level.
    inside = re.sub(rb'["\\\n\r]', b"?", rubbish) + b"\xff\x00\x1b[2J"
    line = b'{"level":"error","service":"backend","%s":"%s password=%s"}' % (where.encode(), inside, SECRET.encode())
    (read,) = read_whole(sink, line)
    assert len(read) <= ENTRY_MAX_BYTES
    assert SECRET.encode() not in read
    assert unsafe_texts(json.loads(read)) == []


def test_a_megabyte_becomes_16_kib_that_are_marked_as_cut(sink: Any, entry: Make) -> None:
    for number, over in enumerate(
        ({"message": "🙂" * 250_000}, {"exception": "ü\n" * 500_000}, {"fields": {"x": "☃" * 350_000}})
    ):
        (read,) = read_whole(sink, json.dumps({**entry(f"m{number}"), **over}).encode())
        assert len(read) <= ENTRY_MAX_BYTES
        assert json.loads(read)["truncated"] is True
