"""The sign-in form in a real Chromium. The backend's answers are simulated; the recorder's are real."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from plumbline.verification.checks import browser

pytestmark = pytest.mark.browser


@pytest.fixture
def sink(idle_sink: Any) -> Any:
    return idle_sink


def answer(page: Any, login: int, stats: int = 200) -> list[str]:
    sent: list[str] = []

    def play(route: Any) -> None:
        sent.append(route.request.post_data)
        route.fulfill(status=login, json={})

    page.route("**/auth/login", play)
    if stats != 200:
        page.route("**/logs/stats", lambda route: route.fulfill(status=stats, json={}))
    return sent


def sign_in(page: Any) -> None:
    page.wait_for_selector("#submit:enabled")
    page.fill("#username", "operator")
    page.fill("#password", "p&ss wörd")
    page.keyboard.press("Enter")


def test_an_operator_signs_in(open_page: Any, keep: Any) -> None:
    page = open_page("/logs/login", live=False)
    keep(page, "login")
    sent = answer(page, 200)
    sign_in(page)
    page.wait_for_selector("#line[data-state=live]")
    assert page.url.endswith("/logs/")
    assert sent == ["username=operator&password=p%26ss+w%C3%B6rd"]


@pytest.mark.parametrize("width", [360, 760, 1280])
def test_each_field_has_a_visible_label(open_page: Any, keep: Any, width: int) -> None:
    page = open_page("/logs/login", live=False, viewport={"width": width, "height": 740})
    for name in ("User name", "Password"):
        box = page.locator(".field > span", has_text=name).bounding_box()
        assert box["width"] > 20, f"{width} px: the label {name} is hidden: {box}"
        assert box["height"] > 10, f"{width} px: the label {name} is hidden: {box}"
    keep(page, f"login-{width}")


@pytest.mark.parametrize(
    ("login", "stats", "says"),
    [
        (401, 200, "wrong"),
        (429, 200, "Too many"),
        (503, 200, "503"),
        (200, 403, "not an operator"),
        (200, 401, "cookies"),
    ],
)
def test_a_refusal_shows_the_reason(open_page: Any, keep: Any, login: int, stats: int, says: str) -> None:
    page = open_page("/logs/login", live=False)
    answer(page, login, stats)
    sign_in(page)
    page.wait_for_selector("#problem:not([hidden])")
    assert says in page.text_content("#problem")
    assert page.url.endswith("/logs/login")
    assert page.is_enabled("#submit")
    keep(page, f"login-{login}-{stats}")


def test_a_request_that_a_network_change_aborts_is_repeated(open_page: Any) -> None:
    page = open_page("/logs/login", live=False)
    answer(page, 200)
    for pattern in ("**/auth/login", "**/logs/stats"):
        browser.cut(page, pattern, times=1)
    sign_in(page)
    page.wait_for_selector("#line[data-state=live]")


def test_a_stack_that_does_not_answer_is_reported(open_page: Any) -> None:
    page = open_page("/logs/login", live=False)
    browser.cut(page, "**/auth/login")
    sign_in(page)
    page.wait_for_selector("#problem:has-text('The stack did not answer')")
    assert page.is_enabled("#submit")


def test_nothing_is_sent_before_the_script_is_ready(new_page: Callable[..., Any], sink: Any) -> None:
    """A submit without the script would show the session token as a page."""
    page = new_page(sink.url)
    sent = answer(page, 200)
    held: list[Any] = []
    page.route("**/assets/login.js", lambda route: held.append(route))
    page.goto("/logs/login", wait_until="commit")
    page.fill("#username", "operator")
    page.fill("#password", "p&ss")
    page.keyboard.press("Enter")
    assert page.is_disabled("#submit")
    held[0].continue_()
    page.wait_for_selector("#submit:enabled")
    assert sent == []
    page.keyboard.press("Enter")
    page.wait_for_selector("#line[data-state=live]")
    assert sent == ["username=operator&password=p%26ss"]
