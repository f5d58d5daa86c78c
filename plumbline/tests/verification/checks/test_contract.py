"""The contract, which checks compare stacks with, and the product say the same; and checks do not ask the product."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest
from servicekit import facts
from servicekit.codes import Code

from plumbline import ROOT
from plumbline.components import HEALTH_PATHS
from plumbline.stack import Stack
from plumbline.verification.checks import contract
from plumbline.verification.introspection import facts as declared

WHERE = "plumbline/verification/checks/contract.py and the product differ: if clients may notice, change both"
OF_THE_PRODUCT = re.compile(
    r"from servicekit import (?:.*\b)?(?:facts|codes)\b|from servicekit\.(?:facts|codes)"
    r"|from plumbline\.components import .*HEALTH_PATHS"
)


@pytest.mark.parametrize(
    "name",
    ["POSTGRES_MAJOR", "DATABASE_NAME", "DATABASE_USER", "DATABASE_SCHEMA", "OPERATOR_USERNAME", "SESSION_COOKIE",
     "REQUEST_ID_HEADER", "INTERNAL_HEADER", "EVENTS_CHANNEL", "LOG_STREAM", "LOG_CAP", "FAULTS_KEPT", "LEVELS_KEPT",
     "ENTRY_MAX_BYTES", "INGEST_MAX_BYTES"],
)  # fmt: skip
def test_facts_are_those_of_the_contract(name: str) -> None:
    assert getattr(facts, name) == getattr(contract, name), WHERE


def test_body_limits_of_caddy_are_those_of_the_contract() -> None:
    found = {"backend": facts.FRONT_BODY_MAX_BYTES, "data-processor": facts.FRONT_UPLOAD_MAX_BYTES}
    assert found == contract.FRONT_MAX_BYTES, WHERE


def test_codes_and_health_paths_are_those_of_the_contract() -> None:
    assert {str(code) for code in Code} == contract.CODES, WHERE
    assert dict(HEALTH_PATHS) == contract.HEALTH_PATHS, WHERE
    assert contract.version() == facts.VERSION


@pytest.mark.parametrize(
    ("service", "variable", "value"),
    [
        ("backend", "PLUMBLINE_SESSION_TTL_S", contract.SESSION_TTL_S),
        ("backend", "PLUMBLINE_INVITE_TTL_S", contract.INVITE_TTL_S),
        ("backend", "PLUMBLINE_LOGIN_ATTEMPTS", contract.LOGIN_ATTEMPTS),
        ("backend", "PLUMBLINE_BODY_MAX_BYTES", contract.BODY_MAX_BYTES["backend"]),
        ("backend", "PLUMBLINE_FRAME_MAX_BYTES", contract.FRAME_MAX_BYTES),
        ("data-processor", "PLUMBLINE_BODY_MAX_BYTES", contract.BODY_MAX_BYTES["data-processor"]),
        ("data-processor", "PLUMBLINE_UPLOAD_MAX_BYTES", contract.UPLOAD_MAX_BYTES),
        ("data-processor", "PLUMBLINE_IMAGE_MAX_PIXELS", contract.IMAGE_MAX_PIXELS),
        ("data-processor", "PLUMBLINE_PDF_MAX_PAGES", contract.PDF_MAX_PAGES),
    ],
)
def test_defaults_of_settings_are_those_of_the_contract(service: str, variable: str, value: int) -> None:
    defaults = {one.variable: one.default for one in declared.services()[service].settings}
    assert defaults[variable] == str(value), WHERE


def test_checks_compare_with_the_contract_and_not_with_the_product() -> None:
    files = [*ROOT.glob("tests/**/*.py"), *ROOT.glob("plumbline/verification/checks/*.py")]
    assert len(files) > 30
    asking = {str(file.relative_to(ROOT)) for file in files if OF_THE_PRODUCT.search(file.read_text())}
    assert asking == set(), "import these values from plumbline.verification.checks.contract"


def test_a_setting_of_the_stacks_owner_replaces_the_default(scripted: Any) -> None:
    stack: Stack = scripted.stack()
    changed = dataclasses.replace(stack, settings=("PLUMBLINE_FRAME_MAX_BYTES=2048 (default 65536)",))
    assert contract.setting(changed, "PLUMBLINE_FRAME_MAX_BYTES", contract.FRAME_MAX_BYTES) == 2048
    assert contract.setting(stack, "PLUMBLINE_FRAME_MAX_BYTES", contract.FRAME_MAX_BYTES) == 65536
