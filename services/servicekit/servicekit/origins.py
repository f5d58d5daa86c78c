"""Finds the site that a request comes from. Browsers add the session cookie themselves and name the page in headers."""

from __future__ import annotations

from collections.abc import Collection


def is_own(origin: str, host: str | None, allowed: Collection[str]) -> bool:
    """Return whether `origin` is one of `allowed` or matches the `Host` that the request was sent to."""
    if origin in allowed:
        return True
    # Not a URL parser: an origin has only these parts, and clients may send text that is no URL.
    scheme, _, place = origin.partition("://")
    return host is not None and scheme.lower() in ("http", "https") and place.lower() == host.lower()


def is_foreign(origin: str | None, fetch_site: str | None, host: str | None, allowed: Collection[str]) -> bool:
    """Return whether a request comes from a page of another site, by its `Origin` or else its `Sec-Fetch-Site`.

    Programs send neither.
    """
    if origin is not None:
        return not is_own(origin, host, allowed)
    return fetch_site not in (None, "same-origin", "none")
