"""Send a request that must be carried out once, also if it has to be repeated. Needs the package `requests`."""

from __future__ import annotations

import time
import uuid

import requests


def post_once(session: requests.Session, url: str, body: object, patience_s: float = 60) -> requests.Response:
    """Send a request until it is answered. It is carried out once."""
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    give_up_at = time.monotonic() + patience_s
    while True:
        try:
            response = session.post(url, json=body, headers=headers, timeout=10)
            wait_s = float(response.headers.get("Retry-After", 0))
            if not wait_s or time.monotonic() > give_up_at:
                return response
        except requests.RequestException:
            wait_s = 1.0
            if time.monotonic() > give_up_at:
                raise
        time.sleep(wait_s)
