"""A real Chromium for the checks of the operator's page, and where its screenshots are kept."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from plumbline import ROOT

ARTIFACTS = ROOT / "test-artifacts" / "recorder"
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


def keep(page: Any, name: str) -> None:
    """Keep a screenshot as a test artifact."""
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=ARTIFACTS / f"{name}.png", animations="disabled")


def _missing(what: str) -> None:
    reason = f"{what}: {_INSTALL}"
    if os.environ.get("PLUMBLINE_REQUIRE_BROWSER") == "1":
        pytest.fail(reason)
    pytest.skip(reason)
