"""The pages that Caddy serves itself, for everybody: what they are, and what their answers must say."""

from __future__ import annotations

PAGES = {
    "/": "What this stack is, whether it works, and where to go.",
    "/api/": "The API reference of both services, in which calls can be tried.",
    "/api/frames.html": "The frames of the WebSocket.",
    "/asyncapi.json": "The same as an AsyncAPI document.",
    "/docs/": "The docs; until they are built, how to build them.",
}
REDIRECTS = {"/api": "/api/", "/docs": "/docs/", "/logs": "/logs/"}
FILES = ("/index.html", "/assets/*", "/api/*", "/api/swagger-ui/*", "/docs/*")
"""Where the files of these pages are."""
POLICY = {
    "default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "img-src": "'self' data: blob:",
    "connect-src": "'self'", "form-action": "'none'", "base-uri": "'none'", "frame-ancestors": "'none'",
}  # fmt: skip
"""Their Content-Security-Policy."""
HEADERS = {
    "Content-Type", "Cache-Control", "Content-Encoding", "Content-Length", "Content-Security-Policy", "Etag",
    "Last-Modified", "Referrer-Policy", "Vary",
}  # fmt: skip
