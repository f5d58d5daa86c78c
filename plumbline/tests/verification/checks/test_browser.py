"""Retries of navigation, and the report of a failed test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from plumbline.verification.checks import browser

PAGE = "data:text/html,<h1>Recorder</h1><script>throw Error('oh')</script>"


class Opening:
    """A page whose first visits fail with these errors."""

    def __init__(self, *failures: str) -> None:
        self.failures = list(failures)

    def goto(self, address: str) -> None:
        from playwright.sync_api import Error

        if self.failures:
            raise Error(f"Page.goto: {self.failures.pop(0)} at {address}")


def test_a_visit_is_retried_after_a_network_change() -> None:
    page = Opening("net::ERR_NETWORK_CHANGED", "net::ERR_NETWORK_CHANGED")
    browser.visit(page, "/logs/")
    assert page.failures == []


def test_other_errors_of_a_visit_are_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Exception, match="REFUSED"):
        browser.visit(Opening("net::ERR_CONNECTION_REFUSED"), "/logs/")
    monkeypatch.setattr(browser, "PATIENCE_S", -1.0)
    with pytest.raises(Exception, match="CHANGED"):
        browser.visit(Opening("net::ERR_NETWORK_CHANGED"), "/logs/")


@pytest.mark.browser
def test_a_page_is_monitored(chromium: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser, "ARTIFACTS", tmp_path)
    with chromium.new_context() as context:
        page = context.new_page()
        watched = browser.Watched(page, "data:")
        browser.cut(page, "**/missing.js")
        page.goto(PAGE)
        page.add_script_tag(content="fetch('http://127.0.0.1/missing.js').catch(() => document.title = 'cut')")
        page.wait_for_function("() => document.title === 'cut'")
        explained = watched.explain("failed")
        assert watched.faults == ["script error: oh", "requested http://127.0.0.1/missing.js"]
    assert (tmp_path / "failed.png").stat().st_size > 0
    assert "Recorder" in explained
    assert "net::ERR_FAILED GET http://127.0.0.1/missing.js" in explained
    assert "cannot be read" in watched.explain("closed")
