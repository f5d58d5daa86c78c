"""Adds to each red check what it was about, which component, and the next command, where its message lacks them."""

from __future__ import annotations

import re
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from plumbline.components import COMPONENTS
from plumbline.home import Home
from plumbline.verification.plugins.stack import OWN
from plumbline.verification.remote import RemoteTarget

SUITES = ("tests/smoke/", "tests/logs/")
ABOUT = {
    "smoke": {
        "backend": "accounts channels deletions events exact_frames invites names refusals repeats tokens websocket",
        "data-processor": "annotations applying batches documents files reading templates",
        "caddy": "answers front_door patience",
        "postgres": "schema",
    },
    "logs": {
        "caddy": "closed_tails no_loops",
        "log-sink": "access cap counters faults filters follow intake own_logs page recorded recorder_pages redaction "
        "tail written",
    },
}
"""Per suite: the component that the checks of these files are about. The others are about several."""
_BY_PATH = {"/data-processor": "data-processor", "/logs": "log-sink", "/auth": "backend", "/channels": "backend"}
_PREFIX = re.compile(r"^(AssertionError|Failed): ")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Complete the message of a red check."""
    del call
    report = yield
    crash: Any = getattr(report.longrepr, "reprcrash", None)
    if report.failed and crash is not None and item.nodeid.startswith(SUITES):
        crash.message = completed(
            crash.message, component_of(item), claim_of(item), _next(item.config, component_of(item))
        )
        report.sections.append(("what is wrong", crash.message))
    return report


def completed(message: str, component: str | None, claim: str, then: str) -> str:
    """Return the message with its component and the check's claim before it, unless it names one, and what is next."""
    text = _PREFIX.sub("", message)
    names = "|".join((*COMPONENTS, "supervisor", "the stack"))
    if not re.match(rf"({names})\b[^\n]*:", text):
        text = f"{component or 'the stack'}: not as expected: {claim}. Found: {text}"
    if "Next: " not in text:
        text = f"{text}\nNext: {then}"
    return text


def component_of(item: pytest.Item) -> str | None:
    """Return the component that a check is about: that of its case, else that of its file; None for several."""
    for value in getattr(getattr(item, "callspec", None), "params", {}).values():
        if isinstance(value, str) and value in COMPONENTS:
            return value
        for path, component in _BY_PATH.items():
            if isinstance(value, str) and value.split(" ")[-1].startswith(path):
                return component
    about = ABOUT[item.path.parent.name]
    name = item.path.stem.removeprefix("test_")
    return next((component for component, names in about.items() if name in names.split()), None)


def claim_of(item: pytest.Item) -> str:
    """Return what a check claims: its name as a sentence, with its case."""
    name, _, case = item.name.partition("[")
    claim = name.removeprefix("test_").replace("_", " ")
    return f"{claim} ({case.removesuffix(']')})" if case else claim


def _next(config: pytest.Config, component: str | None) -> str:
    if config.getoption("target") == RemoteTarget.name:
        return "look at the component's log where the stack is deployed"
    if config.stash.get(OWN, False) and not config.getoption("keep_stack"):
        return "test-artifacts/diagnostics holds the logs; --keep-stack keeps the next stack"
    home = Home(Path(config.getoption("home")))
    return home.with_home_option("./deploy-local.sh logs") + (f" --component {component}" if component else "")
