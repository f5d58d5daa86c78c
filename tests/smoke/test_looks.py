"""Every page of the stack fits its screen, on a phone as on a desk. Its picture is kept in test-artifacts/looks.

Protects from pages that must be moved sideways to be read, and from looks that no person has seen.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from servicekit.secrets import read_secret

from plumbline.stack import Stack
from plumbline.verification.checks import browser

PAGES = {
    "/": "#state[data-state=good]",
    "/api/": ".opblock",
    "/api/frames.html": "#frames[data-state=shown]",
    "/docs/": "h1",
    "/logs/login": "#submit:enabled",
    "/logs/": "#line[data-state=live]",
}
"""Page to what is on it once it is whole."""


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_every_page_fits_its_screen(new_page: Callable[..., Any], stack: Stack, width: int, scheme: str) -> None:
    page = new_page(stack.base_url, viewport={"width": width, "height": 800}, color_scheme=scheme)
    operator = {"username": stack.operator.username, "password": read_secret(Path(stack.operator.password_file))}
    wide = {}
    for path, whole in PAGES.items():
        if path == "/logs/":
            assert page.request.post("/auth/login", form=operator).ok
        browser.visit(page, path)
        page.wait_for_selector(whole)
        browser.look(page, f"stack-{path.strip('/').replace('/', '-') or 'front'}-{width}-{scheme}")
        if (found := page.evaluate("() => document.documentElement.scrollWidth")) > width:
            wide[path] = found
    assert wide == {}, f"wider than a screen of {width} pixels: {wide}. Pictures are in {browser.LOOKS}"
