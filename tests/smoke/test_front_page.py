"""The pages that Caddy serves itself: open to everybody, nothing from outside, and calls can be tried on them.

Protects from a first page that does not open, loads something from outside, or shows the wrong state.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
import requests

from plumbline import net
from plumbline.stack import Stack
from plumbline.targets.base import Target
from plumbline.verification.checks import browser, pages
from plumbline.verification.checks.client import TIMEOUT_S, User

NEXT = "compare docker/caddy/Caddyfile with the repository, then ./deploy-local.sh"


class Named(HTMLParser):
    """Collects the addresses that a page names, and what a Content-Security-Policy would have to allow."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.inline: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.addresses += [value for name in ("href", "src") if (value := given.get(name))]
        if tag == "style" or "style" in given or (tag == "script" and "src" not in given):
            self.inline.append(self.get_starttag_text() or tag)


def get(stack: Stack, path: str) -> requests.Response:
    with net.direct_session() as http:
        return http.get(stack.base_url + path, timeout=TIMEOUT_S)


@pytest.mark.parametrize("path", pages.PAGES)
def test_a_page_is_there_without_a_session_and_may_ask_only_this_stack(stack: Stack, path: str) -> None:
    answer = get(stack, path)
    # A checkout has its docs only once they were built; without them, the page says how to build them.
    expected = (200, 404) if path == "/docs/" else (200,)
    assert answer.status_code in expected, f"caddy: {path} gives {answer.status_code}. Next: {NEXT}"
    kind = "application/json" if path.endswith(".json") else "text/html; charset=utf-8"
    assert answer.headers["Content-Type"] == kind, f"caddy: {path} is no page. Next: {NEXT}"
    directives = dict(one.strip().split(" ", 1) for one in answer.headers["Content-Security-Policy"].split(";"))
    assert directives == pages.POLICY, f"caddy: {path} has another Content-Security-Policy. Next: {NEXT}"
    assert answer.headers["Cache-Control"] == "no-cache", f"caddy: {path} may be shown outdated. Next: {NEXT}"


@pytest.mark.parametrize("path", ["/", "/api/"])
def test_whatever_a_page_names_is_there(stack: Stack, path: str) -> None:
    named = Named(get(stack, path).text)
    assert named.inline == [], f"caddy: {path} has what its Content-Security-Policy forbids: {named.inline}"
    found = {one: get(stack, urljoin(path, one)) for one in named.addresses if not urlsplit(one).netloc}
    outside = [one for one in named.addresses if urlsplit(one).netloc]
    assert outside == [], f"caddy: {path} asks for something from outside: {outside}"
    lost = {one: answer.status_code for one, answer in found.items() if answer.status_code >= 400 and "docs" not in one}
    assert lost == {}, f"caddy: {path} names what is not there: {lost}. Next: {NEXT}"
    assert len(found) >= 5, f"caddy: {path} names only {sorted(found)}"


def test_nothing_of_the_checkout_is_served_but_its_pages(stack: Stack) -> None:
    """Protects from sources, settings and secrets that anybody can download."""
    for path in (
        "/docs/../plumbline/cli.py",
        "/api/%2e%2e/index.md",
        "/assets/../../Caddyfile",
        "/docs/%2e%2e/README.md",
    ):
        with net.direct_session() as http:
            prepared = http.prepare_request(requests.Request("GET", stack.base_url))
            prepared.url = stack.base_url + path  # requests would resolve the dots itself
            answer = http.send(prepared, timeout=TIMEOUT_S, allow_redirects=False)
        assert answer.status_code in (308, 404), f"caddy: {path} gives {answer.status_code}: {answer.text[:200]}"


@pytest.fixture
def page(new_page: Callable[..., Any], stack: Stack) -> Any:
    return new_page(stack.base_url)


@pytest.mark.browser
def test_the_front_page_says_whether_the_stack_works(page: Any, stack: Stack) -> None:
    """Protects from a page that says all is well, and does not know."""
    browser.visit(page, "/")
    page.wait_for_selector("#state[data-state=good]")
    shown = page.inner_text("#services")
    assert shown.count("ready") == 3, shown
    assert shown.count(stack.version) == 3, shown
    assert stack.stack_id in page.inner_text("#identity")


@pytest.mark.browser
@pytest.mark.disrupt
def test_the_front_page_names_a_service_that_does_not_answer(page: Any, target: Target) -> None:
    """Protects from a page that stays green while a service is down."""
    target.stop("log-sink")
    try:
        browser.visit(page, "/")
        page.wait_for_selector("#state:has-text('2 of 3 services are ready.')")
        assert page.inner_text("tr[data-state=bad]").split(maxsplit=1)[0] == "log-sink"
    finally:
        target.start("log-sink")


def opened(page: Any, text: str) -> Any:
    """Search for a call, open it, and return its part of the page."""
    page.fill("#search", text)
    calls = page.locator(".opblock")
    page.wait_for_function("() => document.querySelectorAll('.opblock').length === 1")
    if "is-open" not in (calls.first.get_attribute("class") or ""):
        calls.first.locator(".opblock-summary-control").click()
    calls.first.locator("button.execute").wait_for()
    return calls.first


def answered(call: Any) -> str:
    with call.page.expect_response(lambda one: one.request.resource_type == "fetch") as response:
        call.locator("button.execute").click()
    status = str(response.value.status)
    # The page may still show an earlier answer.
    shown = call.locator(".live-responses-table tbody .response-col_status").filter(has_text=status)
    shown.first.wait_for()
    return status


@pytest.mark.browser
def test_calls_are_tried_with_the_session_that_one_of_them_opens(page: Any, alice: User) -> None:
    """Protects from a reference in which nothing can be tried."""
    browser.visit(page, "/api/")
    page.wait_for_selector("#session:has-text('no session')")
    page.wait_for_selector(".opblock")
    assert answered(opened(page, "get /auth/me")) == "401"
    login = opened(page, "post /auth/login")
    for name, value in (("username", alice.username), ("password", alice.password)):
        login.locator(f"tr[data-property-name={name}] input").fill(value)
    assert answered(login) == "200"
    me = opened(page, "get /auth/me")
    assert answered(me) == "200"
    assert alice.username in me.locator(".live-responses-table").first.inner_text()
    browser.visit(page, "/api/?part=data-processor")
    page.wait_for_selector(f"#session:has-text('{alice.username}')")
    page.wait_for_selector(".opblock")
    assert answered(opened(page, "get /data-processor/templates/ channel_id before")) == "200"


@pytest.mark.browser
def test_the_reference_is_searched_by_paths_texts_and_fields(page: Any) -> None:
    """Protects from calls that are in the reference, and are not found there."""
    browser.visit(page, "/api/?part=data-processor")
    page.wait_for_selector(".opblock")
    every = page.locator(".opblock").count()
    page.fill("#search", "missing_required")
    page.wait_for_function(f"() => document.querySelectorAll('.opblock').length < {every}")
    assert re.search(r"apply-template", page.inner_text("#calls"))
    page.fill("#search", "nowhere-in-any-call")
    page.wait_for_selector("#none:not([hidden])")
    page.fill("#search", "")
    page.wait_for_function(f"() => document.querySelectorAll('.opblock').length === {every}")
