"""A real Chromium for the checks of the operator's page: what a page did, and where its screenshots are kept."""

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
PATIENCE_S = 30.0
_EVENTS = 100
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
_INSTALL = "apt-get install chromium (or set PLUMBLINE_CHROMIUM to the program), and pip install playwright"


@contextmanager
def chromium() -> Iterator[Any]:
    """Yield a browser; skip where there is none (fail, where PLUMBLINE_REQUIRE_BROWSER=1).

    Playwright occupies the thread's event loop for as long as it is open.
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
    """A page and what it did: faults, which should fail a test, and the newest events, which explain why one failed."""

    def __init__(self, page: Any, origin: str) -> None:
        self.faults: list[str] = []
        self._page = page
        self._origin = origin
        self._events: deque[str] = deque(maxlen=_EVENTS)
        self._since = time.monotonic()
        page.set_default_timeout(PATIENCE_S * 1000)
        page.on("pageerror", lambda error: self._fault(f"script error: {error}"))
        page.on("console", lambda said: self._fault(said.text) if "Content Security Policy" in said.text else None)
        page.on("request", lambda one: None if one.url.startswith(origin) else self._fault(f"asked for {one.url}"))
        page.on("response", lambda one: self._event(f"{one.status} {one.request.method} {self._path(one)}"))
        page.on("requestfailed", lambda one: self._event(f"{one.failure} {one.method} {self._path(one)}"))

    def explain(self, name: str) -> str:
        """Keep a screenshot as `name`; return the page's address, its text and its newest events."""
        from playwright.sync_api import Error

        try:
            keep(self._page, name)
            shows = self._page.evaluate("() => document.body.innerText")
        except Error as error:
            shows = f"The page cannot be asked what it shows: {error}"
        return "\n".join([self._page.url, shows, "", *self._events])

    def _path(self, request: Any) -> str:
        return str(request.url.removeprefix(self._origin))

    def _event(self, what: str) -> None:
        self._events.append(f"{time.monotonic() - self._since:8.3f} s  {what}")

    def _fault(self, what: str) -> None:
        self._event(what)
        self.faults.append(what)


def visit(page: Any, address: str) -> None:
    """Open `address`; once more where the network changed meanwhile.

    Every container that starts or stops changes the machine's network, and Chromium gives up what is under way then.
    """
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
    """Cut requests to `pattern` off, as a network that changes does: the next `times` of them, or all."""
    page.route(pattern, lambda route: route.abort("failed"), times=times)


def keep(page: Any, name: str) -> None:
    """Keep a screenshot as a test artifact."""
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=ARTIFACTS / f"{name}.png", animations="disabled")


def _missing(what: str) -> None:
    reason = f"{what}: {_INSTALL}"
    if os.environ.get("PLUMBLINE_REQUIRE_BROWSER") == "1":
        pytest.fail(reason)
    pytest.skip(reason)
