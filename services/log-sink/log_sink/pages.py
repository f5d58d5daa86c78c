"""The operator's page, its login form and their assets: plain files, nothing from other sites."""

from __future__ import annotations

import base64
import hashlib
from importlib import resources
from pathlib import Path

from servicekit.facts import FAULTS_KEPT, LEVELS_KEPT, LOG_CAP
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

WEB = Path(str(resources.files(__package__).joinpath("web")))
_GUARD = (WEB / "guard.js").read_text(encoding="utf-8")
GUARD_SOURCE = f"'sha256-{base64.b64encode(hashlib.sha256(_GUARD.encode()).digest()).decode()}'"
"""Source that a Content-Security-Policy must allow for the pages' only inline script."""
_FACTS = {"LOG_CAP": LOG_CAP, "FAULTS_KEPT": FAULTS_KEPT, "LEVELS_KEPT": " ".join(LEVELS_KEPT)}
"""Facts for the pages and their scripts: the pages contain the names in braces."""
# A page needs scripts of its own version, so browsers revalidate theirs each time.
_FRESH = {"Cache-Control": "no-cache"}


class _Assets(StaticFiles):
    def file_response(self, *args, **kwargs) -> Response:  # type: ignore[no-untyped-def]
        response = super().file_response(*args, **kwargs)
        response.headers.update(_FRESH)
        return response


def _rendered(name: str) -> str:
    text = (WEB / name).read_text(encoding="utf-8")
    for fact, value in _FACTS.items():
        text = text.replace(f"{{{fact}}}", str(value))
    before, after = text.split("<!-- guard.js -->")
    return f"{before}<script>{_GUARD}</script>{after}"


_PAGE, _LOGIN = _rendered("index.html"), _rendered("login.html")


async def _page(request: Request) -> Response:
    return HTMLResponse(_PAGE, headers={"Cache-Control": "no-store"})


async def _login(request: Request) -> Response:
    return HTMLResponse(_LOGIN, headers=_FRESH)


async def _to_page(request: Request) -> Response:
    return RedirectResponse("/logs/", 308)


routes = [
    Route("/logs", _to_page),
    Route("/logs/", _page),
    Route("/logs/login", _login),
    Mount("/logs/assets", _Assets(directory=WEB / "assets")),
]
