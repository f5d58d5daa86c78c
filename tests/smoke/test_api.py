"""The services describe exactly the API that is documented: every call, parameter, limit, field and refusal.

Protects from a documented API that is not the one that is served.
"""

from __future__ import annotations

import pytest

from plumbline.verification.checks import api
from plumbline.verification.checks.client import User
from plumbline.verification.checks.findings import require_none


@pytest.mark.parametrize("service", api.PATHS)
def test_the_api_is_exactly_the_declared_one(alice: User, service: str) -> None:
    found = api.without_words(alice.get(api.PATHS[service]).expect(200))
    require_none(
        api.differences(api.declared()[service], found, service),
        about=f"the API of {service} is not the declared one (docs/generated/openapi-{service}.json)",
        then="take back the change, or, if it is meant, run python -m plumbline.verification.docs and commit the file",
    )
