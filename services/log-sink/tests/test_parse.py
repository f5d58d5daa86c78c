from __future__ import annotations

import json

import pytest
from log_sink.entries import build, parse


@pytest.mark.parametrize(
    "line",
    [
        b'{"level":"error","message":"caf\xe9"}',
        b'{"message":"raw \x01 control"}',
        b'{"message":"\\ud800 lone"}',
        b'{"message": NaN}',
    ],
)
def test_broken_text_spoils_a_word_not_the_entry(line: bytes) -> None:
    raw = parse(line)
    assert isinstance(raw, dict)
    json.loads(build(raw, "backend", "warning"))


@pytest.mark.parametrize("line", [b"plain text", b'{"cut":', b"\xff\xfe", b"[" * 100_000, b'{"a":' * 100_000])
def test_what_is_no_json_is_none(line: bytes) -> None:
    assert parse(line) is None
