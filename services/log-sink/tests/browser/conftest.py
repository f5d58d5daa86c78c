"""A real Chromium on a real sink. Screenshots stay in test-artifacts/recorder/."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

from plumbline.verification.checks import browser
from plumbline.verification.throwaway import THROUGH_CADDY


@pytest.fixture
def new_page(new_page: Callable[..., Any]) -> Callable[..., Any]:
    """Make pages that come to the sink as if through Caddy."""
    return functools.partial(new_page, extra_http_headers=THROUGH_CADDY)


@pytest.fixture
def open_page(new_page: Callable[..., Any], sink: Any) -> Callable[..., Any]:
    """Open pages of the sink."""

    def open_it(path: str = "/logs/", *, live: bool = True, **options: Any) -> Any:
        page = new_page(sink.url, **options)
        browser.visit(page, path)
        if live:
            page.wait_for_selector("#line[data-state=live]")
        return page

    return open_it


@pytest.fixture
def keep() -> Callable[[Any, str], None]:
    """Keep a screenshot as an artifact."""
    return browser.keep
