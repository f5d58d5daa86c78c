"""The operator's page, its login form and their assets: plain files, nothing from outside."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

WEB = Path(str(resources.files(__package__).joinpath("web")))
# An old page with a new script would be a riddle; a validator is cheap.
_FRESH = {"Cache-Control": "no-cache"}


class _Assets(StaticFiles):
    def file_response(self, *args, **kwargs) -> Response:  # type: ignore[no-untyped-def]
        response = super().file_response(*args, **kwargs)
        response.headers.update(_FRESH)
        return response


async def _page(request: Request) -> Response:
    return FileResponse(WEB / "index.html", headers=_FRESH)


async def _login(request: Request) -> Response:
    return FileResponse(WEB / "login.html", headers=_FRESH)


async def _to_page(request: Request) -> Response:
    return RedirectResponse("/logs/", 308)


routes = [
    Route("/logs", _to_page),
    Route("/logs/", _page),
    Route("/logs/login", _login),
    Mount("/logs/assets", _Assets(directory=WEB / "assets")),
]
