"""Says of each red check which component it is about, what was expected and found, where to look, and what is next."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from plumbline.components import COMPONENTS
from plumbline.errors import PlumblineError
from plumbline.home import Home
from plumbline.verification.checks import failures
from plumbline.verification.plugins import browser
from plumbline.verification.plugins.stack import OWN, VERIFIED
from plumbline.verification.remote import RemoteTarget
from plumbline.verification.report import sentences

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
EXPLAINED = pytest.StashKey[dict[str, str]]()
"""What a red check means, in the parts that the report shows."""
_FIRST = pytest.StashKey[dict[int, tuple[BaseException, str]]]()
"""Exceptions of fixtures, each with the check that met it first."""
_RUNNING = pytest.StashKey[str]()
"""The check that runs: the request of a shared fixture does not name it."""
_WRONG = pytest.StashKey[tuple[float, str]]()
"""When the components of the stack were looked at last, and what was wrong with them."""
_LOOKS_AGAIN_S = 5.0
_BY_PATH = {"/data-processor": "data-processor", "/logs": "log-sink", "/auth": "backend", "/channels": "backend"}
_CALL = re.compile(r"\b(?:GET|HEAD|POST|PUT|PATCH|DELETE) https?://[^/\s]+(/[^\s:?]*)")
_PREFIX = re.compile(r"^(AssertionError|Failed): ")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Remember which check runs."""
    item.config.stash[_RUNNING] = item.nodeid


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(request: pytest.FixtureRequest) -> Generator[None, object, object]:
    """Remember which fixture failed for which check: pytest raises the same exception for all others that need it."""
    try:
        return (yield)
    except Exception as error:
        running = request.config.stash.get(_RUNNING, "")
        request.config.stash.setdefault(_FIRST, {}).setdefault(id(error), (error, running))
        raise


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Explain a red check. The message of one of the suites is completed."""
    report = yield
    shown: Any = report.longrepr
    crash = getattr(shown, "reprcrash", None)
    if not report.failed or crash is None or call.excinfo is None:
        return report
    claim = sentences.claim(item.nodeid)
    cause = browser.explain(item, call.excinfo.value) or failures.explain(call.excinfo.value)
    explained = {"expected": claim, "where_to_look": f"{item.location[0]}:{_line(item, call.excinfo)}"}
    if item.nodeid.startswith(SUITES):
        component = (cause.component if cause else "") or component_of(item) or _called(crash.message)
        explained |= {"component": component or "the stack", "expected": cause.expected if cause else claim}
        then = _next_command(item.config, component, item.name)
        crash.message = completed(crash.message, component, claim, then, cause)
        if wrong := _wrong_with_the_stack(item.config):
            crash.message = crash.message.replace("\nNext: ", f"\nAt that time: {wrong}\nNext: ", 1)
    else:
        then = f"nox -s unit -- -k {shlex.quote(item.name.partition('[')[0])}"
    first = _first_that_failed(item, call.excinfo.value)
    if first:
        crash.message += f"\nThe same as in {first}, which needed the same fixture."
        explained["because_of"] = first
        for trace, *_ in getattr(shown, "chain", []):
            trace.reprentries = []  # the first check shows them
    text, _, after = crash.message.partition("\nNext: ")
    found = text.partition(" Found: ")[2] or "\n".join([*([cause.found] if cause else []), _PREFIX.sub("", text)])
    item.stash[EXPLAINED] = {**explained, "found": found, "next": after.partition("\n")[0] or then}
    if item.nodeid.startswith(SUITES):
        report.sections.append(("what is wrong", crash.message))
    return report


def _called(message: str) -> str | None:
    """Return the component of the call that a message quotes."""
    found = _CALL.search(message)
    return failures.component_of(found[1]) if found else None


def _first_that_failed(item: pytest.Item, error: BaseException) -> str:
    """Return the check for which a fixture raised this exception, if it was not this one."""
    first = item.config.stash.get(_FIRST, {}).get(id(error), (error, item.nodeid))[1]
    return "" if first == item.nodeid else first


def _line(item: pytest.Item, failure: pytest.ExceptionInfo[BaseException]) -> int:
    """Return the line of the check's file that the exception has passed last, else that of the check."""
    lines = [entry.lineno + 1 for entry in failure.traceback if Path(entry.path) == item.path]
    return lines[-1] if lines else (item.location[1] or 0) + 1


def completed(message: str, component: str | None, claim: str, then: str, cause: failures.Cause | None = None) -> str:
    """Return the message with its component and the check's claim before it, unless it names one, and what is next."""
    text = _PREFIX.sub("", message)
    names = "|".join((*COMPONENTS, "supervisor", "the stack"))
    if not re.match(rf"({names})\b[^\n]*:", text):
        about = f"{component or 'the stack'}: not as expected: {claim}."
        text = (
            f"{about} Expected {cause.expected}. Found: {cause.found}\n({text})" if cause else f"{about} Found: {text}"
        )
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


def _next_command(config: pytest.Config, component: str | None, check: str) -> str:
    """Return what to do next about a red check."""
    if config.getoption("target") == RemoteTarget.name:
        return "look at the component's log where the stack is deployed"
    if config.stash.get(OWN, False) and not config.getoption("keep_stack"):
        target = f" --target {config.stash[VERIFIED].name}" if VERIFIED in config.stash else ""
        again = f"nox -s suites -- --keep-stack{target} -k {shlex.quote(check.partition('[')[0])}"
        return f"{again} (the logs of this stack are in test-artifacts/diagnostics)"
    home = Home(Path(config.getoption("home")))
    return home.with_home_option("./deploy-local.sh logs") + (f" --component {component}" if component else "")


def _wrong_with_the_stack(config: pytest.Config) -> str:
    """Return which components do not run, if any: a red check may only be a consequence."""
    target = config.stash.get(VERIFIED, None)
    if target is None:
        return ""
    looked, said = config.stash.get(_WRONG, (0.0, ""))
    if time.monotonic() - looked > _LOOKS_AGAIN_S:
        try:
            said = "; ".join(target.stack().problems())
        except (PlumblineError, OSError) as error:
            said = str(error)
        config.stash[_WRONG] = (time.monotonic(), said)
    return said
