"""The OpenAPI document is valid, complete, and matches the service.

Every answer that a `Person` gets in the other tests is held against it, too.
"""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import requests
from data_processor_testkit.service import Person, Service
from openapi_spec_validator import OpenAPIV31SpecValidator
from servicekit.codes import Code

from plumbline.verification.description import OF_ANY_ADDRESS, Description
from plumbline.verification.throwaway import through_caddy

PACKAGE = Path(__file__).parents[1] / "data_processor"


@pytest.fixture
def document(service: Service) -> dict[str, Any]:
    return service.description.document


def test_the_document_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    assert [str(error) for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_every_address_and_method_is_described(service: Service, document: dict[str, Any]) -> None:
    # Read as text: importing the routes needs Django's settings.
    declared = re.findall(r'path\(\s*"([^"]+)",\s*Methods', (PACKAGE / "urls.py").read_text(encoding="utf-8"))
    paths = {re.sub(r"<id:(\w+)>", r"{\1}", path) for path in declared}
    assert {path.removeprefix("/data-processor/") for path in document["paths"]} - {"/auth/operator"} == paths - {
        "auth/operator"
    }
    for path, item in document["paths"].items():
        address = service.base.removesuffix("/data-processor/") + re.sub(r"{\w+}", "1", path)
        allowed = through_caddy("OPTIONS", address, timeout=30).headers["Allow"].split(", ")
        assert {method.upper() for method in item} == set(allowed) - {"HEAD"}, path


def test_every_part_of_a_path_and_every_parameter_of_a_query_is_described(service: Service) -> None:
    for (method, path), operation in service.description.operations.items():
        described = {(parameter["in"], parameter["name"]) for parameter in operation["parameters"]}
        assert {name for kind, name in described if kind == "path"} == set(re.findall(r"{(\w+)}", path))
        query = {name for kind, name in described if kind == "query"}
        lists = method == "GET" and path.endswith(("/documents/", "/templates/", "/batch/", "/annotations/"))
        others = {"width"} if path.endswith("/image") else set()
        others = {"after", "limit", "status"} if path.endswith("/items/") else others
        if method == "GET" and path.endswith("/export/"):
            others = {"format", "dialect", "include_metadata", "validated_only", "create_table"}
            others |= {"channel_id", "after", "before"} if "/batch/" not in path else set()
        assert {"before", "limit"} <= query if lists else query == others, (method, path)
        if lists:
            assert ("channel_id" in query) == ("annotations" not in path), (method, path)


@pytest.mark.parametrize("name", ["before", "limit", "channel_id"])
def test_a_parameter_has_the_documented_bounds(service: Service, person: Person, name: str) -> None:
    for (method, path), operation in service.description.operations.items():
        for parameter in operation["parameters"]:
            if parameter["name"] != name:
                continue
            most = parameter["schema"]["maximum"]
            where = re.sub(r"{\w+}", "1", path).removeprefix("/data-processor/")
            for value, taken in ((most, True), (most + 1, False), (0, False)):
                query = {"channel_id": 1, name: value} if "/documents/1" not in path else {name: value}
                answer = person.call(method, where, params=query)
                refused = answer.status_code == 422 and answer.json()["errors"][0]["field"] == name
                assert refused != taken, (path, name, value, answer.text)


def test_every_refusal_in_the_code_is_described(document: dict[str, Any]) -> None:
    raised = {
        Code[name]
        for file in PACKAGE.rglob("*.py")
        for name in re.findall(r"\bCode\.([A-Z_]+)", file.read_text("utf-8"))
    }
    described = {
        Code(code)
        for item in document["paths"].values()
        for operation in item.values()
        for answer in operation["responses"].values()
        for content in answer.get("content", {}).values()
        for code in content.get("schema", {}).get("properties", {}).get("code", {}).get("enum", [])
    }
    assert raised - OF_ANY_ADDRESS == described - OF_ANY_ADDRESS


def test_an_id_that_cannot_exist_is_refused_as_described(service: Service, person: Person) -> None:
    for path in ("documents/0/", "documents/9223372036854775808/", "batch/0/export/?format=json"):
        answer = person.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "no_such_address"), path
    for (method, path), operation in service.description.operations.items():
        refused = operation["responses"].get("404", {}).get("content", {}).get("application/problem+json", {})
        codes = refused.get("schema", {}).get("properties", {}).get("code", {}).get("enum", [])
        assert ("no_such_address" in codes) == ("{" in path), (method, path)


def test_every_body_has_an_example_that_its_schema_allows(service: Service) -> None:
    # The document describes itself by no schema of its own.
    found = list(service.description.faults_of_examples())
    assert [one for one in found if "openapi.json: 200" not in one] == []


def test_calls_that_need_a_session_declare_it(service: Service) -> None:
    for (method, path), operation in service.description.operations.items():
        address = service.base.removesuffix("/data-processor/") + re.sub(r"{\w+}", "1", path)
        refused = through_caddy(method, address, timeout=30).status_code == 401
        assert refused == ("security" in operation) == ("401" in operation["responses"]), (method, path)


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("documents/", lambda operation: operation["responses"].pop("422")),
        ("documents/9999999/", lambda operation: operation["responses"]["404"]["content"].clear()),
        (
            "documents/9999999/",
            lambda operation: operation["responses"]["404"]["content"]["application/problem+json"]["schema"][
                "properties"
            ]["code"].update(enum=["no_such_channel"]),
        ),
        ("templates/", lambda operation: operation["responses"]["200"]["content"]["application/json"].update(
            schema={"required": ["total"]}
        )),
    ],
    ids=["status", "media type", "code", "body"],
)  # fmt: skip
def test_an_answer_that_the_document_lacks_is_found(service: Service, person: Person, path: str, change: Any) -> None:
    changed = Description(copy.deepcopy(service.description.document))
    answer: requests.Response = person.get(path)
    address = f"/data-processor/{path}"
    changed.check("GET", address, answer)
    change(changed.operation("GET", address))
    with pytest.raises(AssertionError, match=address):
        changed.check("GET", address, answer)
