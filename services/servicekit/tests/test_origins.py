from __future__ import annotations

import pytest
from servicekit.origins import is_foreign, is_own

HOST = "stack.example:8080"


@pytest.mark.parametrize(
    "origin", ["http://stack.example:8080", "https://stack.example:8080", "HTTP://Stack.Example:8080"]
)
def test_pages_of_the_same_address_are_own(origin: str) -> None:
    assert is_own(origin, HOST, ())


@pytest.mark.parametrize(
    "origin",
    [
        "http://stack.example",
        "http://stack.example:8080.evil.example",
        "http://user@stack.example:8080",
        "http://stack.example:8080/",
        "ftp://stack.example:8080",
        "//stack.example:8080",
        "stack.example:8080",
        "null",
        "",
        "http://[",
        "http://stack.example:8080]",
        "\xff",
    ],
)
def test_anything_else_is_foreign(origin: str) -> None:
    assert not is_own(origin, HOST, ("https://other.example",))
    assert is_foreign(origin, "same-origin", HOST, ())


def test_without_a_host_every_origin_is_foreign() -> None:
    assert not is_own("http://stack.example:8080", None, ())
    assert not is_own("http://", None, ())


def test_allowed_origins_are_own_as_they_are_written() -> None:
    assert is_own("https://other.example", HOST, ("https://other.example",))
    assert not is_foreign("https://other.example", "cross-site", HOST, ("https://other.example",))


@pytest.mark.parametrize(
    ("fetch_site", "foreign"),
    [(None, False), ("none", False), ("same-origin", False), ("same-site", True), ("cross-site", True), ("?", True)],
)
def test_without_an_origin_the_browser_says_how_the_page_relates(fetch_site: str | None, foreign: bool) -> None:
    assert is_foreign(None, fetch_site, HOST, ()) is foreign
