"""The operator's page in a real Chromium, through the front door: from signing in to signing out."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis
from servicekit.secrets import read_secret

from plumbline import recorder as operator
from plumbline.stack import Stack
from plumbline.targets.base import Target
from plumbline.verification.checks import browser, recorder
from plumbline.verification.checks.client import User

pytestmark = pytest.mark.browser


@pytest.fixture
def page(new_page: Callable[..., Any], stack: Stack) -> Any:
    """A page of the front door."""
    return new_page(stack.base_url)


def sign_in(page: Any, stack: Stack) -> None:
    browser.visit(page, "/logs/")
    page.wait_for_selector("#submit:enabled")
    assert page.url.endswith("/logs/login")
    page.fill("#username", stack.operator.username)
    page.fill("#password", read_secret(Path(stack.operator.password_file)))
    page.keyboard.press("Enter")
    page.wait_for_selector("#line[data-state=live]")


def forged(stack: Stack, client: redis.Redis) -> str:
    """Return the request id of the newest entry about bad tokens, of which there is one now."""
    recorder.forge(stack, client)
    entries = operator.entries(stack, service="backend")
    return str([one for one in entries if one.get("kind") == "client.bad_token"][-1]["request_id"])


def warned(stack: Stack, user: User) -> str:
    """Make the backend warn, and return the last word of what it says."""
    mark = f"mark-{secrets.token_hex(6)}"
    recorder.warn(stack, user, mark)
    return mark


def wait_for_entry(page: Any, mark: str) -> None:
    page.locator("li.entry .message", has_text=mark).first.wait_for()


def test_from_signing_in_to_signing_out(page: Any, stack: Stack, redis_client: redis.Redis) -> None:
    sign_in(page, stack)
    request_id = forged(stack, redis_client)
    link = page.get_by_role("button", name=f"Everything with request id {request_id}").first
    link.wait_for()
    browser.keep(page, "stack-live")
    link.click()
    page.wait_for_function(f"() => new URLSearchParams(location.search).get('request_id') === '{request_id}'")
    assert page.locator("li.entry").count() >= 1
    page.locator("li.entry .row").first.click()
    assert request_id in page.locator(".details").first.inner_text()
    browser.keep(page, "stack-request")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_selector("#username")
    browser.visit(page, "/logs/")
    page.wait_for_selector("#username")


@pytest.mark.disrupt
def test_the_line_breaks_and_goes_on(page: Any, target: Target, stack: Stack, alice: User) -> None:
    sign_in(page, stack)
    before = warned(stack, alice)
    wait_for_entry(page, before)
    target.stop("log-sink")
    try:
        page.wait_for_selector("#line[data-state=down]")
        assert page.locator("#alarm").is_visible()
        browser.keep(page, "stack-down")
        meanwhile = [warned(stack, alice) for _ in range(3)]
    finally:
        target.start("log-sink")
    page.wait_for_selector("#line[data-state=live]")
    for mark in (*meanwhile, warned(stack, alice)):
        wait_for_entry(page, mark)
    ids = page.eval_on_selector_all("li.entry", "rows => rows.map(row => row.dataset.id)")
    assert len(ids) == len(set(ids))


@pytest.mark.disrupt
def test_it_opens_while_the_backend_is_away(page: Any, target: Target, stack: Stack) -> None:
    sign_in(page, stack)
    target.stop("backend")
    try:
        browser.visit(page, "/logs/")
        page.wait_for_selector("#line[data-state=live]")
        browser.keep(page, "stack-backend-away")
    finally:
        target.start("backend")


@pytest.mark.disrupt
def test_a_recorder_that_is_away_says_so_in_words(page: Any, target: Target, stack: Stack) -> None:
    target.stop("log-sink")
    try:
        browser.visit(page, "/logs/login")
        page.wait_for_selector("h1:has-text('The recorder does not answer')")
        browser.keep(page, "stack-away")
    finally:
        target.start("log-sink")
    page.wait_for_selector("#username")
