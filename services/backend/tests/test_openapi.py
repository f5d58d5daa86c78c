from __future__ import annotations

from plumbline.verification.throwaway import through_caddy

from .conftest import TIMEOUT_S, Backend


def test_every_route_documents_its_refusals_and_security(backend: Backend) -> None:
    schema = through_caddy("GET", backend.url + "/openapi.json", timeout=TIMEOUT_S).json()
    routes = {
        f"{method} {path}": operation
        for path, operations in schema["paths"].items()
        for method, operation in operations.items()
    }
    assert len(routes) == 22
    for name, operation in routes.items():
        assert operation["description"], name
        body = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if body and name != "delete /auth/me":  # a password alone
            assert schema["components"]["schemas"][body["schema"]["$ref"].rpartition("/")[2]]["examples"], name
        if "401" in operation["responses"]:
            assert list(operation["responses"]["401"]["content"]) == ["application/problem+json"], name
    carried = {name for name, operation in routes.items() if operation.get("security")}
    refusing = {name for name, operation in routes.items() if "401" in operation["responses"]}
    # Login answers 401, too, but needs no session.
    assert carried == refusing - {"post /auth/login"}
