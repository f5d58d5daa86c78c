"""The inline script of the pages, when a part of a page does not load."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from plumbline.verification.checks import browser

pytestmark = pytest.mark.browser

NewPage = Callable[..., Any]


@pytest.fixture
def sink(idle_sink: Any) -> Any:
    return idle_sink


@pytest.mark.parametrize("script", ["main", "time"])
def test_an_interrupted_script_is_loaded_again(new_page: NewPage, sink: Any, script: str) -> None:
    page = new_page(sink.url)
    browser.cut(page, f"**/assets/{script}.js", times=1)
    browser.visit(page, "/logs/?service=backend")
    page.wait_for_selector("#line[data-state=live]")
    assert page.evaluate("() => performance.getEntriesByType('navigation')[0].type") == "reload"
    assert page.url.endswith("?service=backend")


def test_an_interrupted_style_is_loaded_again_while_the_user_types(new_page: NewPage, sink: Any) -> None:
    page = new_page(sink.url)
    browser.cut(page, "**/assets/style.css", times=1)
    browser.visit(page, "/logs/login")
    page.fill("#username", "oper")
    page.wait_for_function("() => getComputedStyle(document.querySelector('form')).display === 'grid'")
    assert page.input_value("#username") == "oper"


@pytest.mark.parametrize("path", ["/logs/", "/logs/login"])
def test_a_part_that_never_loads_is_reported_and_retried(new_page: NewPage, sink: Any, keep: Any, path: str) -> None:
    page = new_page(sink.url)
    browser.cut(page, "**/assets/dom.js")
    browser.visit(page, path)
    page.wait_for_selector(".alarm:has-text('A part of this page did not load. Trying again…')")
    keep(page, f"cut-{path.rsplit('/')[-1] or 'page'}")
    page.wait_for_event("load")
    page.wait_for_selector(".alarm:has-text('did not load')")


def test_a_page_that_does_not_start_reports_it(new_page: NewPage, sink: Any) -> None:
    page = new_page(sink.url)
    page.clock.install(time=0)
    page.clock.pause_at(1)  # or else a busy machine sees the page after its reload
    page.route("**/assets/main.js", lambda route: route.fulfill(body="", content_type="text/javascript"))
    browser.visit(page, "/logs/")
    assert not page.is_visible(".alarm:has-text('did not start')")
    page.clock.run_for(30_100)
    page.wait_for_selector(".alarm:has-text('This page did not start. Trying again…')")
