"""A real Chromium on a real sink. Screenshots stay in test-artifacts/recorder/."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from plumbline.checks import browser


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """One browser for a module's tests."""
    with browser.chromium() as found:
        yield found


@pytest.fixture
def open_page(chromium: Any, sink: Any) -> Iterator[Callable[..., Any]]:
    """Open pages of the sink. A page that reports an error, or asks anybody but the sink, fails the test."""
    contexts, faults, seen = [], [], []

    def watch(page: Any) -> None:
        page.on("response", lambda response: seen.append((response.status, response.url.removeprefix(sink.url))))
        page.on("pageerror", lambda error: faults.append(f"script error: {error}"))
        page.on(
            "console",
            lambda message: faults.append(message.text) if "Content Security Policy" in message.text else None,
        )
        page.on(
            "request",
            lambda request: None if request.url.startswith(sink.url) else faults.append(f"asked for {request.url}"),
        )

    def open_it(path: str = "/logs/", *, live: bool = True, **options: Any) -> Any:
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 860}, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        watch(page)
        page.goto(sink.url + path)
        if live:
            try:
                page.wait_for_selector("#line[data-state=live]")
            except Exception as error:
                said = page.evaluate("() => document.body.innerText")
                at = page.evaluate("() => [document.visibilityState, performance.now(), window.scrollY]")
                raise AssertionError(f"the page did not go live: {said[:500]!r}, {at}, {seen}") from error
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert faults == []


@pytest.fixture
def keep() -> Callable[[Any, str], None]:
    """Keep a screenshot as an artifact."""
    return browser.keep
