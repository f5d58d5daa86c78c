"""Chromium for tests of the operator's page: navigation, monitoring and screenshots."""

from __future__ import annotations

import os
import shutil
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from plumbline import ROOT

ARTIFACTS = ROOT / "test-artifacts" / "recorder"
LOOKS = ROOT / "test-artifacts" / "looks"
"""How pages look: CI keeps these pictures, and people look through them."""
PATIENCE_S = 30.0
_EVENTS = 100
_SHOWN = 300
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
_INSTALL = "apt-get install chromium (or set PLUMBLINE_CHROMIUM to the program), and pip install playwright"


@contextmanager
def chromium() -> Iterator[Any]:
    """Yield a browser. Without one, skip the test, or fail it if PLUMBLINE_REQUIRE_BROWSER=1.

    Playwright uses the thread's event loop until it is closed.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _missing("Playwright is not installed")
    program = os.environ.get("PLUMBLINE_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None or not Path(program).exists():
        _missing("no Chromium was found")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=_FLAGS)
        try:
            yield browser
        finally:
            browser.close()


class Watched:
    """Monitors a page: `faults` should fail a test, and recent events help to explain a failure."""

    def __init__(self, page: Any, origin: str) -> None:
        self.faults: list[str] = []
        self._page = page
        self._origin = origin
        self._events: deque[tuple[float, str]] = deque(maxlen=_EVENTS)
        self._since = time.monotonic()
        page.set_default_timeout(PATIENCE_S * 1000)
        page.on("pageerror", lambda error: self._fault(f"script error: {error}"))
        page.on("console", lambda said: self._fault(said.text) if "Content Security Policy" in said.text else None)
        page.on("request", lambda one: None if one.url.startswith(origin) else self._fault(f"requested {one.url}"))
        page.on("response", lambda one: self._event(f"{one.status} {one.request.method} {self._path(one)}"))
        page.on("requestfailed", lambda one: self._event(f"{one.failure} {one.method} {self._path(one)}"))

    def explain(self, name: str) -> str:
        """Save a screenshot as `name`; return the page's address, text and recent events."""
        from playwright.sync_api import Error

        try:
            keep(self._page, name)
            shows = self._page.evaluate("() => document.body.innerText")
        except Error as error:
            shows = f"The page's text cannot be read: {error}"
        events = (f"{seconds:8.3f} s  {what}" for seconds, what in self._events)
        return "\n".join([self._page.url, shows, "", *events])

    def summary(self) -> str:
        """Return in a few words what the page shows, and which of its requests failed."""
        from playwright.sync_api import Error

        try:
            text = " ".join(str(self._page.evaluate("() => document.body.innerText")).split())
        except Error as error:
            text = f"nothing that can be read ({error})"
        shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]} …"
        failed = [what for _, what in self._events if not what.startswith(("2", "3"))]
        answers = ", ".join(failed[-5:]) if failed else f"none of its {len(self._events)} requests failed"
        return f"the page {self._path(self._page)} shows {shown!r}; {answers}"

    def _path(self, request: Any) -> str:
        return str(request.url.removeprefix(self._origin))

    def _event(self, what: str) -> None:
        self._events.append((time.monotonic() - self._since, what))

    def _fault(self, what: str) -> None:
        self._event(what)
        self.faults.append(what)


def visit(page: Any, address: str) -> None:
    """Open `address`; retry if Chromium aborts because a container changed the machine's network."""
    from playwright.sync_api import Error

    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            page.goto(address)
            return
        except Error as error:
            if "ERR_NETWORK_CHANGED" not in str(error) or time.monotonic() > until:
                raise


def cut(page: Any, pattern: str, times: int | None = None) -> None:
    """Abort requests to `pattern`: the next `times`, or all."""
    page.route(pattern, lambda route: route.abort("failed"), times=times)


def keep(page: Any, name: str) -> None:
    """Save a screenshot as a test artifact."""
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=ARTIFACTS / f"{name}.png", animations="disabled")


def look(page: Any, name: str) -> None:
    """Keep a picture of how a page looks."""
    LOOKS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=LOOKS / f"{name}.png", animations="disabled")


def _missing(what: str) -> None:
    reason = f"{what}: {_INSTALL}"
    if os.environ.get("PLUMBLINE_REQUIRE_BROWSER") == "1":
        pytest.fail(reason)
    pytest.skip(reason)
