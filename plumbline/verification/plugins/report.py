"""Records each check for the report of a nox run: outcome, time, sentences, evidence, and what a red one means."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from plumbline import diagnose
from plumbline.errors import PlumblineError
from plumbline.home import Home
from plumbline.verification.checks import evidence, versions
from plumbline.verification.faults.areas import areas
from plumbline.verification.plugins import stack as stacks
from plumbline.verification.plugins.created import LEFT
from plumbline.verification.plugins.sentences import EXPLAINED
from plumbline.verification.report import record, sentences, usual

_PROPERTY = "plumbline"
"""What a process of xdist tells the one that records."""
_TOLD = pytest.StashKey[bool]()
_USUAL = pytest.StashKey[usual.Usual]()


def pytest_configure(config: pytest.Config) -> None:
    """Record if nox asks for it; with xdist, only the process that collects all results does."""
    if hasattr(config, "workerinput"):
        return
    if (writer := record.of_this_process()) is not None:
        config.stash[_USUAL] = usual.Usual.saved(writer.folder)
        config.pluginmanager.register(_Recorder(config, writer), "plumbline-record")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Collect the evidence of each check."""
    with evidence.collected():
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Attach what is known where the check runs: evidence, the stack, what a failure means."""
    report = yield
    known: dict[str, Any] = {"evidence": evidence.found(), "explained": item.stash.get(EXPLAINED, {})}
    target = item.config.stash.get(stacks.VERIFIED, None)
    if target is not None and not item.config.stash.get(_TOLD, False):
        item.config.stash[_TOLD] = True
        # A stack without a state says so itself. What is asked here is no evidence of the check.
        with contextlib.suppress(PlumblineError), evidence.collected():
            known["stack"] = versions.facts_of(target, own=item.config.stash.get(stacks.OWN, False))
    report.user_properties.append((_PROPERTY, known))
    return report


def usual_seconds(config: pytest.Config, name: str) -> float | None:
    """Return how long a check usually takes, if earlier reports tell."""
    return config.stash[_USUAL].checks.get(name) if _USUAL in config.stash else None


class _Recorder:
    def __init__(self, config: pytest.Config, writer: record.Record) -> None:
        self._config = config
        self._record = writer
        self._reports: dict[str, list[pytest.TestReport]] = {}
        self._files: set[str] = set()
        self._trouble: list[str] = []
        self._planned = 0
        self._record.write("program", arguments=list(config.invocation_params.args))

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        if session.items:
            self._record.write("planned", checks=len(session.items))

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        # Each process collects all checks.
        if not self._planned:
            self._planned = len(ids)
            self._record.write("planned", checks=self._planned)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._trouble.append(f"{report.nodeid} cannot be collected:\n{report.longreprtext}")

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        guards = sentences.of(self._config.rootpath / nodeid.partition("::")[0]).guards_of(nodeid)
        self._record.write("began", name=nodeid, claim=sentences.claim(nodeid), guards=guards)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        reports = self._reports.setdefault(report.nodeid, [])
        reports.append(report)
        # xdist reports a crashed process as a failure of the check that ran there, and nothing after it.
        if report.when == "teardown" or report.when not in ("setup", "call"):
            del self._reports[report.nodeid]
            self._check(report.nodeid, reports)

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        # Also where a plugin ends the run, which says why. Of Ctrl-C, nox knows.
        self._trouble += [str(excinfo.value)] if str(excinfo.value) else []

    def pytest_internalerror(self, excrepr: object) -> None:
        self._trouble.append(f"pytest itself failed:\n{excrepr}")

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, None, None]:
        yield
        for name, reports in self._reports.items():
            if any(one.failed for one in reports):  # else it was broken off
                self._check(name, reports)
        self._trouble += [f"not deleted: {one.what}: {one.reason}" for one in self._config.stash.get(LEFT, [])]
        self._record.write("program-ended", exit=int(session.exitstatus), trouble=self._trouble)

    def _check(self, name: str, reports: list[pytest.TestReport]) -> None:
        known: dict[str, Any] = {}
        for report in reports:
            properties: dict[str, Any] = dict(report.user_properties)
            known |= properties.get(_PROPERTY, {})
            if "stack" in known:
                self._take(known.pop("stack"))
        red = next((one for one in reports if one.failed), None)
        skipped = next((one for one in reports if one.skipped), None)
        outcome = "failed" if red else "skipped" if skipped else "passed"
        self._describe(name.partition("::")[0])
        self._record.write(
            "check",
            name=name,
            claim=sentences.claim(name),
            guards=sentences.of(self._config.rootpath / name.partition("::")[0]).guards_of(name),
            faults=faults_seen_by(name),
            outcome=outcome,
            seconds=round(sum(one.duration for one in reports), 3),
            why=_why(skipped) if skipped and not red else "",
            evidence=known.get("evidence", {}),
            explained=(known.get("explained") or {"found": _message(red)}) if red else {},
            details=_details(red) if red else "",
        )

    def _take(self, facts: dict[str, Any]) -> None:
        if facts["home"]:
            self._record.mask(diagnose.secret_values(Home(Path(facts["home"]))))
        self._record.write("stack", **facts)

    def _describe(self, name: str) -> None:
        if name not in self._files:
            self._files.add(name)
            file = sentences.of(self._config.rootpath / name)
            self._record.write("file", name=name, about=file.about, guards=file.guards)


def faults_seen_by(name: str) -> list[str]:
    """Return the faults that a check is proven to see, in words: those of its case, else those of all its cases."""
    short = name.removeprefix("tests/")
    return _faults().get(short) or _faults().get(short.partition("[")[0], [])


@cache
def _faults() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for area in areas():
        for fault in area.faults:
            for check in fault.red:
                found.setdefault(check, []).append(fault.what)
    return found


def _why(report: pytest.TestReport) -> str:
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    return str(getattr(report, "wasxfail", "")) or report.longreprtext


def _message(report: pytest.TestReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(crash.message) if crash is not None else report.longreprtext[-2000:]


def _details(report: pytest.TestReport) -> str:
    return "\n".join([report.longreprtext, *(f"\n--- {title} ---\n{text}" for title, text in report.sections)])
