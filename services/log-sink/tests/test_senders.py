from __future__ import annotations

import pytest
from log_sink.senders import SENDERS_MAX, Senders


def test_numbers_rise_or_are_repeated() -> None:
    senders = Senders()
    one, other = "0" * 32, "f" * 32
    assert [senders.is_repeated(f"{one}-{number}") for number in (1, 2, 2, 1, 7, 7)] == [
        False,
        False,
        True,
        True,
        False,
        True,
    ]
    assert not senders.is_repeated(f"{other}-1")


@pytest.mark.parametrize("batch", ["", "1", "0" * 32, f"{'0' * 32}-x", f"{'G' * 32}-1", f"{'0' * 32}-{'9' * 16}"])
def test_a_request_without_a_batch_is_never_repeated(batch: str) -> None:
    senders = Senders()
    assert not senders.is_repeated(batch)
    assert not senders.is_repeated(batch)


def test_the_most_recent_senders_are_remembered() -> None:
    senders = Senders()
    for number in range(SENDERS_MAX):
        assert not senders.is_repeated(f"{number:032x}-1")
    assert senders.is_repeated(f"{0:032x}-1")
    assert not senders.is_repeated(f"{SENDERS_MAX:032x}-1")
    assert senders.is_repeated(f"{0:032x}-1"), "it was heard of after the others"
    assert not senders.is_repeated(f"{1:032x}-1"), "it had to go"
