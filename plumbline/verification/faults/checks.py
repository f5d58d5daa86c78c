"""Runs checks of the suites on a stack, in a process of their own that has the libraries in memory already."""

from __future__ import annotations

import contextlib
import io
import multiprocessing
from collections.abc import Callable, Iterable
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from plumbline import ROOT
from plumbline.verification.faults.judge import Outcome, is_case_of

SUITES = ("smoke", "logs")
LEFT = "left behind"
"""In the place of a check: something that the checks created could not be deleted."""
SLOW = (
    "smoke/test_cleanup.py",
    "smoke/test_access.py",
    "smoke/test_patience.py",
    "logs/test_page.py",
    "logs/test_follow.py::test_the_logs_command_follows",
)
"""Made only where a fault must turn them red."""
_PATIENCE_S = 300
"""How long one check may take, also on a busy machine."""
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload([
    "pytest", "psycopg", "redis", "requests", "websockets.sync.client", "orjson", "psutil", "PIL.Image", "pypdfium2",
    "plumbline.targets.embedded.target", "plumbline.targets.kubernetes.target", "plumbline.targets.compose.target",
])  # fmt: skip


def run(home: Path, checkout: Path, modules: Iterable[str], wanted: Iterable[str] = ()) -> Outcome:
    """Make checks on the stack in `home`: the quick ones in `modules` that disturb nothing, and all that are `wanted`.

    A module is a file or folder of the suites. `checkout` is the one of the stack: checks run its commands.
    """
    ours, theirs = _processes.Pipe(duplex=False)
    collector = _Collector(tuple(modules), tuple(wanted))
    process = _processes.Process(target=_run, args=(theirs, home, checkout, collector), daemon=True)
    process.start()
    theirs.close()
    try:
        return outcome_of(ours, _PATIENCE_S)
    finally:
        process.kill()
        process.join()


def outcome_of(process: Connection, patience_s: float) -> Outcome:
    """Return the outcome that a process sends after the names of the checks that it begins."""
    at_work = "nothing yet"
    try:
        while process.poll(patience_s):
            told = process.recv()
            if isinstance(told, Outcome):
                return told
            at_work = told
    except EOFError:
        return Outcome(
            failed={"the checks": f"their process ended without a word; the last check that began: {at_work}"}
        )
    return Outcome(failed={"the checks": f"did not go on within {patience_s:g} s; the last that began: {at_work}"})


class _Collector:
    """A pytest plugin that chooses checks and collects what came of them."""

    def __init__(self, modules: tuple[str, ...], wanted: tuple[str, ...]) -> None:
        self.outcome = Outcome()
        self.begins: Callable[[str], None] | None = None
        self._modules = modules
        self._wanted = wanted

    @property
    def files(self) -> set[str]:
        """What has to be collected."""
        return {*self._modules, *(check.partition("::")[0] for check in self._wanted if "::" in check)}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if self._is_chosen(item)]

    def _is_chosen(self, item: pytest.Item) -> bool:
        # Imported here, and below, after pytest has been told to rewrite their asserts.
        from plumbline.verification.checks.disruption import MARKER

        name = _name(item.nodeid)
        if any(is_case_of(check, name) for check in self._wanted):
            return True
        return name.startswith(self._modules) and not name.startswith(SLOW) and not item.get_closest_marker(MARKER)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        if self.begins is not None:
            self.begins(_name(nodeid))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name = _name(report.nodeid)
        if report.failed:
            self.outcome.passed.discard(name)
            said = getattr(getattr(report.longrepr, "reprcrash", None), "message", None) or report.longreprtext
            self.outcome.failed.setdefault(name, said)
        elif report.passed and report.when == "call":
            self.outcome.passed.add(name)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.outcome.failed[_name(report.nodeid)] = report.longreprtext

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        # Also where a plugin ends the run: the stack cannot be proven.
        self.outcome.failed["the stack"] = str(excinfo.value)

    def pytest_terminal_summary(self, config: pytest.Config) -> None:
        from plumbline.verification.plugins.created import LEFT as left  # noqa: N811

        behind = config.stash.get(left, [])
        if behind:
            self.outcome.failed[LEFT] = "; ".join(f"{one.what}: {one.reason}" for one in behind)


def _name(node: str) -> str:
    return node.removeprefix("tests/")


def _run(answer: Connection, home: Path, checkout: Path, collector: _Collector) -> None:
    if not collector.files:
        answer.send(collector.outcome)
        return
    collector.begins = answer.send
    configured = ["-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml")]
    arguments = [*configured, *(f"tests/{one}" for one in sorted(collector.files)), "--home", str(home), "--disrupt"]
    arguments += ["--commands-of", str(checkout)]
    with contextlib.chdir(ROOT), contextlib.redirect_stdout(io.StringIO()) as said, contextlib.redirect_stderr(said):
        code = pytest.main(arguments, plugins=[collector])
    if code not in (0, 1, 2) and not collector.outcome.failed:
        collector.outcome.failed["the checks"] = said.getvalue()[-3000:]
    answer.send(collector.outcome)
    answer.close()
