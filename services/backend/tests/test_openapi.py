from __future__ import annotations

from plumbline.verification.throwaway import through_caddy

from .conftest import TIMEOUT_S, Backend


def test_every_route_says_how_it_refuses_and_who_may_call_it(backend: Backend) -> None:
    schema = through_caddy("GET", backend.url + "/openapi.json", timeout=TIMEOUT_S).json()
    routes = {
        f"{method} {path}": operation
        for path, operations in schema["paths"].items()
        for method, operation in operations.items()
    }
    assert len(routes) == 22
    for name, operation in routes.items():
        assert operation["description"], name
        if "401" in operation["responses"]:
            assert list(operation["responses"]["401"]["content"]) == ["application/problem+json"], name
    carried = {name for name, operation in routes.items() if operation.get("security")}
    refusing = {name for name, operation in routes.items() if "401" in operation["responses"]}
    # Logging in refuses too, but asks for no session.
    assert carried == refusing - {"post /auth/login"}
