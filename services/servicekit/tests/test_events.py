"""Events are decoded as they were encoded, and anything else is refused."""

from __future__ import annotations

import pytest
from servicekit.events import Event, decode, encode


@pytest.mark.parametrize(
    "event",
    [
        Event(5, {"type": "message", "content": "ü🙂\0"}),
        Event(None, {"type": "presence"}, [1, 2]),
        Event(2**63 - 1, {}, []),
    ],
)
def test_an_event_is_decoded_as_it_was_encoded(event):
    assert decode(encode(event)) == event


@pytest.mark.parametrize(
    "data",
    [b"", b"x", b"[]", b"null", b"{}", b"\xff", b"[" * 100_000, b'{"channel_id":1,"user_ids":null}',
     b'{"channel_id":"1","user_ids":null,"frame":{}}', b'{"channel_id":1,"user_ids":{},"frame":{}}',
     b'{"channel_id":1,"user_ids":null,"frame":[]}'],
)  # fmt: skip
def test_anything_else_is_refused(data):
    with pytest.raises(ValueError):  # noqa: PT011  (orjson's own is one, too)
        decode(data)
