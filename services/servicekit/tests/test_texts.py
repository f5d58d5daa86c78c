from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from servicekit import texts

NOTHING = [
    "",
    " ",
    "\t\n\u2028",
    "\u00a0\u2003\u3000",
    "\u200b\u2060\ufeff",
    "\u0301\u0323",
    "\u3164\u115f\uffa0",
    "\u2800",
    "\u202e\u202c",
    "\u00ad",
    "\U000e0041\ufe0f",
    "\u034f",
]


@pytest.mark.parametrize("text", NOTHING, ids=ascii)
def test_text_without_visible_characters_is_neither_a_name_nor_a_content(text: str) -> None:
    assert not texts.is_visible(text)
    with pytest.raises(ValueError, match=r"blank|one line"):
        texts.name(text)
    with pytest.raises(ValueError, match="blank"):
        texts.content(text)


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("cafe\u0301", "café"),
        ("  a \u00a0\u2003 b\u3000", "a b"),
        ("#dev   team", "#dev team"),
        ("a", "a"),
        ("👍🏽", "👍🏽"),
        ("👩\u200d👩\u200d👧", "👩\u200d👩\u200d👧"),
        ("❤\ufe0f", "❤\ufe0f"),
        ("🏴\U000e0067\U000e0062\U000e007f", "🏴\U000e0067\U000e0062\U000e007f"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("עברית", "עברית"),
    ],
)
def test_names_have_one_form(written: str, stored: str) -> None:
    assert texts.name(written) == stored


@pytest.mark.parametrize(
    "char", ["\u202e", "\u2066", "\u200e", "\u061c", "\u200b", "\u200d", "\u00ad", "\ufeff", "\u3164"]
)
def test_names_have_no_invisible_characters(char: str) -> None:
    with pytest.raises(ValueError, match="invisible"):
        texts.name(f"gen{char}eral")


@pytest.mark.parametrize("text", ["two\nlines", "tab\there", "bell\x07", "line\u2028separator"])
def test_names_are_one_line(text: str) -> None:
    with pytest.raises(ValueError, match="one line"):
        texts.name(text)


@given(st.text())
def test_normalising_is_stable_and_keeps_visible_characters(text: str) -> None:
    form = texts.normal(text)
    assert texts.normal(form) == form
    assert unicodedata.is_normalized("NFC", form)
    assert texts.is_visible(form) == texts.is_visible(text)
