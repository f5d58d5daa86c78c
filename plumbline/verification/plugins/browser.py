"""Fixtures for pages in Chromium; the report of a failed check shows their text and events."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest

from plumbline.verification.checks import browser
from plumbline.verification.checks.failures import Cause

_WATCHED = pytest.StashKey[list[browser.Watched]]()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A browser for a module's checks."""
    with browser.chromium() as found:
        yield found


@pytest.fixture
def new_page(chromium: Any, request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    """Open pages of one origin, each in its own context (options: Playwright's).

    A page that reports an error, or sends a request to another origin, fails the check.
    """
    contexts: list[Any] = []
    watched = request.node.stash.setdefault(_WATCHED, [])

    def make(origin: str, **options: Any) -> Any:
        # Chromium knows no authority of a file; that of the stack is verified by every other client.
        chosen = {"base_url": origin, "ignore_https_errors": origin.startswith("https://")}
        context = chromium.new_context(**{**chosen, "viewport": {"width": 1280, "height": 860}, **options})
        contexts.append(context)
        page = context.new_page()
        watched.append(browser.Watched(page, origin))
        return page

    yield make
    for context in contexts:
        context.close()
    faults = [fault for page in watched for fault in page.faults]
    if faults:
        pytest.fail("\n".join(faults))


def explain(item: pytest.Item, error: BaseException) -> Cause | None:
    """Return what an error of the browser means: mostly a time-out, which says nothing of what is there instead."""
    if not type(error).__module__.startswith("playwright"):
        return None
    lines = [line.strip(" -") for line in str(error).splitlines() if line.strip(" -=")]
    waited = next((line for line in lines if line.startswith("waiting for")), lines[0])
    pages = "; ".join(page.summary() for page in item.stash.get(_WATCHED, []))
    return Cause("", f"in Chromium, within {browser.PATIENCE_S:g} s: {waited}", pages or lines[0])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the text and events of its pages to the report of a failed check."""
    report = yield
    if report.failed and call.when == "call":
        pages: list[browser.Watched] = item.stash.get(_WATCHED, [])
        for number, page in enumerate(pages, 1):
            report.sections.append((f"page {number}", page.explain(f"failed-{item.name}-{number}")))
    return report
