"""The OpenAPI document is valid and complete. Every answer that a `User` gets in the other tests is held against it."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from servicekit.codes import Code

from plumbline.verification.description import OF_ANY_ADDRESS, Description
from plumbline.verification.throwaway import through_caddy

from .conftest import TIMEOUT_S, Backend, User, description

PACKAGE = Path(__file__).parents[1] / "backend"
OF_SOCKETS = {Code.NOT_YOUR_SOCKET, Code.INVALID_FRAME, Code.BINARY_FRAME, Code.UNKNOWN_TYPE}
OF_FRAMEWORK = {Code.REFUSED, Code.UNAVAILABLE}
"""Bases of other codes, and refusals of the framework that no route of ours causes."""


@pytest.fixture
def described(backend: Backend) -> Description:
    return description(backend.url)


def test_the_document_is_valid_openapi_3_1(described: Description) -> None:
    assert described.document["openapi"].startswith("3.1.")
    assert [str(error) for error in OpenAPIV31SpecValidator(described.document).iter_errors()] == []


def test_every_body_has_an_example_that_its_schema_allows(described: Description) -> None:
    assert list(described.faults_of_examples()) == []


def test_every_refusal_in_the_code_is_described(described: Description) -> None:
    raised = {
        Code[name]
        for file in PACKAGE.rglob("*.py")
        for name in re.findall(r"\bCode\.([A-Z_]+)", file.read_text("utf-8"))
    }
    found = {
        Code(code)
        for operation in described.operations.values()
        for answer in operation["responses"].values()
        for content in answer.get("content", {}).values()
        for code in content.get("schema", {}).get("properties", {}).get("code", {}).get("enum", [])
    }
    assert raised - OF_ANY_ADDRESS - OF_SOCKETS - OF_FRAMEWORK == found


def test_every_route_documents_itself_and_its_security(backend: Backend, described: Description) -> None:
    assert len(described.operations) == 25
    for (method, path), operation in described.operations.items():
        assert operation["description"], (method, path)
        address = re.sub(r"{\w+}", "1", path)
        assert ("401" in operation["responses"]) == ("security" in operation or path == "/auth/login"), (method, path)
        refused = through_caddy(method, backend.url + address, timeout=TIMEOUT_S).status_code == 401
        assert refused == ("security" in operation), (method, path)


def test_an_answer_that_the_document_lacks_is_found(backend: Backend, new_user: Any) -> None:
    user: User = new_user()
    changed = Description(copy.deepcopy(description(backend.url).document), "[^/]+")
    answer = user.get(f"/channels/{2**62}/members")
    changed.check("GET", "/channels/1/members", answer)
    operation = changed.operation("GET", "/channels/1/members")
    assert operation is not None
    schema = operation["responses"]["404"]["content"]["application/problem+json"]["schema"]
    schema["properties"]["code"]["enum"].remove("no_such_channel")
    with pytest.raises(AssertionError, match="no_such_channel"):
        changed.check("GET", "/channels/1/members", answer)
