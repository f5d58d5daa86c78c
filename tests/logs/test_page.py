"""The operator's page in Chromium, through the front door.

Protects from an operator's page that does not show what happens, or stops to without a word.
"""

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
    """A page at the front door."""
    return new_page(stack.base_url)


def sign_in(page: Any, stack: Stack) -> None:
    browser.visit(page, "/logs/")
    page.wait_for_selector("#submit:enabled")
    assert page.url.endswith("/logs/login")
    page.fill("#username", stack.operator.username)
    page.fill("#password", read_secret(Path(stack.operator.password_file)))
    page.keyboard.press("Enter")
    page.wait_for_selector("#line[data-state=live]")


def send_bad_token(stack: Stack, client: redis.Redis) -> str:
    """Send a bad token; return the request id of the newest entry about bad tokens."""
    recorder.send_bad_token(stack, client)
    entries = operator.entries(stack, service="backend")
    return str([one for one in entries if one.get("kind") == "client.bad_token"][-1]["request_id"])


def log_warning(stack: Stack, user: User) -> str:
    """Make the backend log a warning; return its mark."""
    mark = f"mark-{secrets.token_hex(6)}"
    recorder.log_warnings(stack, user, mark)
    return mark


def wait_for_entry(page: Any, mark: str) -> None:
    page.locator("li.entry .message", has_text=mark).first.wait_for()


def test_sign_in_filter_and_sign_out(page: Any, stack: Stack, redis_client: redis.Redis) -> None:
    sign_in(page, stack)
    request_id = send_bad_token(stack, redis_client)
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
def test_the_live_tail_reconnects_after_an_outage(page: Any, target: Target, stack: Stack, alice: User) -> None:
    sign_in(page, stack)
    before = log_warning(stack, alice)
    wait_for_entry(page, before)
    target.stop("log-sink")
    try:
        page.wait_for_selector("#line[data-state=down]")
        assert page.locator("#alarm").is_visible()
        browser.keep(page, "stack-down")
        meanwhile = [log_warning(stack, alice) for _ in range(3)]
    finally:
        target.start("log-sink")
    page.wait_for_selector("#line[data-state=live]")
    for mark in (*meanwhile, log_warning(stack, alice)):
        wait_for_entry(page, mark)
    ids = page.eval_on_selector_all("li.entry", "rows => rows.map(row => row.dataset.id)")
    assert len(ids) == len(set(ids))


@pytest.mark.disrupt
def test_the_page_opens_while_the_backend_is_away(page: Any, target: Target, stack: Stack) -> None:
    sign_in(page, stack)
    target.stop("backend")
    try:
        browser.visit(page, "/logs/")
        page.wait_for_selector("#line[data-state=live]")
        browser.keep(page, "stack-backend-away")
    finally:
        target.start("backend")


@pytest.mark.disrupt
def test_an_outage_of_the_recorder_shows_an_error_page(page: Any, target: Target, stack: Stack) -> None:
    target.stop("log-sink")
    try:
        browser.visit(page, "/logs/login")
        page.wait_for_selector("h1:has-text('The recorder does not answer')")
        browser.keep(page, "stack-away")
    finally:
        target.start("log-sink")
    page.wait_for_selector("#username")
