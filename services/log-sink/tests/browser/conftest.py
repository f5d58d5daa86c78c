"""A real Chromium on a real sink. Screenshots stay in test-artifacts/recorder/."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[4]
ARTIFACTS = ROOT / "test-artifacts" / "recorder"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
INSTALL = "apt-get install chromium (or set PLUMBLINE_CHROMIUM to the program), and pip install playwright"


def _missing(what: str) -> None:
    reason = f"{what}: {INSTALL}"
    if os.environ.get("PLUMBLINE_REQUIRE_BROWSER") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """One browser for a module's tests: Playwright occupies the thread's event loop for as long as it is open."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _missing("Playwright is not installed")
    program = os.environ.get("PLUMBLINE_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None or not Path(program).exists():
        _missing("no Chromium was found")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


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

    def shoot(page: Any, name: str) -> None:
        ARTIFACTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=ARTIFACTS / f"{name}.png", animations="disabled")

    return shoot
