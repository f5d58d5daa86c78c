"""Headers of every answer of the log-sink."""

from __future__ import annotations

import pytest

from plumbline.verification.throwaway import through_caddy

from .conftest import SinkProcess

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
READ = {"GET", "HEAD"}
PATHS = {
    "/logs/entries": READ,
    "/logs/stats": READ,
    "/logs/health": READ,
    "/logs/health/live": READ,
    "/logs": READ,
    "/logs/": READ,
    "/logs/login": READ,
    "/logs/assets/style.css": READ,
    "/ingest": {"POST"},
}


@pytest.mark.parametrize("path", PATHS)
def test_allow_names_every_method(idle_sink: SinkProcess, path: str) -> None:
    for method in METHODS:
        answer = through_caddy(method, idle_sink.url + path, timeout=10, allow_redirects=False)
        assert answer.headers["X-Content-Type-Options"] == "nosniff", (method, path)
        if method in PATHS[path]:
            assert answer.status_code < 400, (method, path)
        else:
            assert answer.status_code == 405, (method, path)
            assert set(answer.headers["Allow"].split(", ")) == PATHS[path], (method, path)
            assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/logs/", "/logs/entries", "/logs/stats", "/logs/entries?limit=x", "/nowhere"])
def test_answers_that_need_a_session_are_not_cached(idle_sink: SinkProcess, path: str) -> None:
    assert idle_sink.get(path).headers["Cache-Control"] == "no-store"
