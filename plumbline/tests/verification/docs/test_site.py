"""The docs as a site: no page runs an inline script or asks for something from outside, and all fit a phone."""

from __future__ import annotations

import functools
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from plumbline import ROOT
from plumbline.verification.checks import browser

_BUILD_S = 300


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the docs as `nox -s docs` does."""
    folder = tmp_path_factory.mktemp("docs") / "site"
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=_BUILD_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def served(site: Path) -> Iterator[str]:
    """Serve the site; from a folder of files, its search does not work."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_no_page_has_an_inline_script_or_style(site: Path) -> None:
    pages = [page for page in site.rglob("*.html") if page.name != "404.html"]
    assert len(pages) > 30
    for page in pages:
        text = page.read_text("utf-8")
        tags = re.findall(r"<script(?![^>]* (?:src=|type=\"application/json\"))[^>]*>|<style[^>]*>| style=\"", text)
        assert tags == [], f"{page.relative_to(site)}: the front door's Content-Security-Policy forbids {tags}"


def test_moved_scripts_are_where_pages_look_for_them(site: Path) -> None:
    for page in (site / "index.html", site / "generated" / "routes.html"):
        found = re.findall(r'<script src="((?:\.\./)*assets/inline/[^"]+)"', page.read_text("utf-8"))
        assert len(found) >= 2, f"{page.name} lost its scripts"
        assert all((page.parent / one).exists() for one in found), found


BROKEN = """(selector) =>
  [...document.querySelectorAll(selector)].flatMap((name) => [...name.childNodes]).filter((part) => {
  const range = document.createRange();
  range.selectNodeContents(part);
  return part.nodeType === Node.TEXT_NODE && range.getClientRects().length > 1;
}).map((part) => part.data)"""
"""Texts between the joints of names that take more than one line."""


@pytest.mark.browser
@pytest.mark.parametrize("page", ["generated/routes.html", "generated/codes.html"])
def test_a_table_shows_its_last_column_on_a_phone(served: str, new_page: Callable[..., Any], page: str) -> None:
    opened = new_page(served, viewport={"width": 360, "height": 740})
    browser.visit(opened, f"/{page}")
    opened.wait_for_selector("table")
    edges = opened.evaluate(
        "() => [...document.querySelectorAll('article tbody td:last-child')].map((cell) => {"
        " const { left, right } = cell.getBoundingClientRect(); return [left, right] })"
    )
    assert len(edges) > 10
    assert max(right for _, right in edges) <= 360, f"{page}: a column ends at {max(right for _, right in edges)}"
    assert min(right - left for left, right in edges) >= 80, f"{page}: a last column is too narrow to be read"
    assert opened.evaluate(BROKEN, "article td:not(:last-child) code") == [], f"{page}: names break inside of a word"


@pytest.mark.browser
def test_the_api_reference_works_from_a_folder_of_files_and_on_a_phone(
    site: Path, new_page: Callable[..., Any]
) -> None:
    page = new_page(site.as_uri(), viewport={"width": 360, "height": 740}, color_scheme="dark")
    browser.visit(page, f"{site.as_uri()}/api/index.html?part=data-processor")
    page.wait_for_selector(".opblock")
    assert page.locator(".try-out").count() == 0, "a folder of files cannot be called"
    page.fill("#search", "post multipart")
    page.wait_for_function("() => document.querySelectorAll('.opblock').length === 1")
    page.locator(".opblock-summary-control").click()
    page.wait_for_selector(".responses-table")
    page.wait_for_selector(".responses-table .example")
    assert page.locator(".errors-wrapper").count() == 0, page.inner_text(".errors-wrapper")
    assert page.evaluate("() => document.documentElement.scrollWidth") == 360, "an opened call is wider than the screen"
    browser.visit(page, f"{site.as_uri()}/api/frames.html")
    page.wait_for_selector("#frames[data-state=shown]")
    assert page.evaluate(BROKEN, "#frames tbody th code") == [], "names of fields break inside of a word"
    assert page.locator("#frames thead").first.locator("th").all_text_contents() == ["Field", "Type", "Meaning"]
    page.fill("#search", "detected_regions")
    shown = page.locator("article:visible")
    assert [one.strip() for one in shown.locator("h3").all_inner_texts()] == ["ocr_complete"]
