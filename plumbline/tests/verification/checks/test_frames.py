"""The AsyncAPI document is whole, its examples are what it describes, and its frames are those that checks rely on."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator

from plumbline import ROOT
from plumbline.verification.checks import contract, frames

DOCUMENT = frames.declared()
MESSAGES: dict[str, dict[str, Any]] = DOCUMENT["components"]["messages"]
SCHEMAS: dict[str, dict[str, Any]] = DOCUMENT["components"]["schemas"]


def sent() -> list[str]:
    """Return the titles of the messages that the stack makes itself."""
    listed = [one["$ref"].rpartition("/")[2] for one in DOCUMENT["operations"]["sendToClients"]["messages"]]
    return [title for title in listed if title != "RelayedMessage" and MESSAGES[title]["name"] != "typing"]


def references(part: Any) -> list[str]:
    if isinstance(part, dict):
        own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
        return own + [one for value in part.values() for one in references(value)]
    return [one for value in part for one in references(value)] if isinstance(part, list) else []


def test_every_reference_leads_to_a_part_of_the_document() -> None:
    found = references(DOCUMENT)
    assert len(found) > 40
    for reference in found:
        part: Any = DOCUMENT
        for key in reference.removeprefix("#/").split("/"):
            assert key in part, f"{reference} leads nowhere"
            part = part[key]


def test_every_schema_is_used_and_valid() -> None:
    used = {one.rpartition("/")[2] for one in references(DOCUMENT) if "/schemas/" in one}
    assert SCHEMAS.keys() == used
    for schema in SCHEMAS.values():
        OAS31Validator.check_schema(schema)


@pytest.mark.parametrize("title", MESSAGES)
def test_every_frame_has_an_example_that_its_schema_allows_and_no_less(title: str) -> None:
    schema = {**MESSAGES[title]["payload"], "components": DOCUMENT["components"]}
    examples = [one["payload"] for one in MESSAGES[title]["examples"]]
    assert examples, f"{title} has no example"
    for example in examples:
        assert [error.message for error in OAS31Validator(schema).iter_errors(example)] == []
        for name in SCHEMAS[title]["required"]:
            less = {key: value for key, value in example.items() if key != name}
            assert list(OAS31Validator(schema).iter_errors(less)), f"{title} may lack {name}"


def test_the_frames_of_the_stack_are_those_that_checks_rely_on() -> None:
    described = {MESSAGES[title]["name"]: set(SCHEMAS[title]["required"]) for title in sent()}
    assert described == frames.FIELDS, "docs/generated/asyncapi.json and verification/checks/frames.py differ"
    optional = {name for title in sent() for name in SCHEMAS[title]["properties"].keys() - SCHEMAS[title]["required"]}
    assert optional == frames.SOMETIMES


def test_every_frame_in_the_code_of_the_services_is_described() -> None:
    code = [
        *ROOT.glob("services/backend/backend/**/*.py"),
        *ROOT.glob("services/data-processor/data_processor/**/*.py"),
    ]
    made = {
        kind for file in code for kind in re.findall(r'\{\s*"type": "(\w+)", *(?:\n|\*\*|")', file.read_text("utf-8"))
    }
    internal = {"sessions_changed"}
    no_frames = {"object", "integer", "string", "boolean", "value_error", "text"}
    assert {"channel_renamed", "document_uploaded", "batch_progress", "read_again"} <= made
    assert made - internal - no_frames - {"join", "leave"} <= frames.FIELDS.keys()


def test_the_size_of_frames_is_that_of_the_contract() -> None:
    assert str(contract.FRAME_MAX_BYTES) in DOCUMENT["channels"]["socket"]["description"]


@pytest.mark.parametrize("title", sent())
def test_a_frame_that_is_not_as_described_is_found(title: str) -> None:
    example = MESSAGES[title]["examples"][0]["payload"]
    assert frames.faults(example) == []
    for name in frames.FIELDS[example["type"]] - {"type"}:
        changed = copy.deepcopy(example)
        changed[name] = ["not", "this"]
        assert frames.faults(changed) != [] or isinstance(example[name], list), (title, name)
        if not (title == "Message" and name == "id"):  # without an id, it is a relayed one
            assert frames.faults({key: value for key, value in example.items() if key != name}) != [], (title, name)
    assert frames.faults(example | {"surprise": 1}) == ["surprise is not described"]


def test_an_unknown_frame_is_found() -> None:
    assert frames.faults({"type": "news"}) == ["the AsyncAPI document has no frame 'news'"]
