"""Only requests through Caddy are served: every account of the machine can reach the data-processor's port."""

from __future__ import annotations

import pytest
import requests
from data_processor_testkit.service import Person, Service, refusal

TIMEOUT_S = 30


@pytest.mark.parametrize("claim", [{}, {"X-Plumbline-Internal": "guessed"}])
def test_direct_requests_are_refused_with_a_session(service: Service, person: Person, claim: dict[str, str]) -> None:
    headers = {"Authorization": f"Bearer {person.token}", **claim}
    root = service.base.removesuffix("/data-processor/")
    for path in ("/data-processor/templates/", "/data-processor/nothing", "/auth/operator"):
        answer = requests.get(root + path, headers=headers, timeout=TIMEOUT_S)
        assert "front door" in refusal(answer, 403, "front_door_only")["detail"]


@pytest.mark.parametrize("path", ["health", "health/live"])
def test_health_needs_no_secret(service: Service, path: str) -> None:
    assert requests.get(service.base + path, timeout=TIMEOUT_S).status_code == 200
