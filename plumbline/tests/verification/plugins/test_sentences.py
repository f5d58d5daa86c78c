"""A red check names its component, what was expected, what was found and the next command."""

from __future__ import annotations

import pytest

from plumbline import ROOT
from plumbline.components import COMPONENTS
from plumbline.verification.plugins import sentences

pytest_plugins = ["pytester"]
CONFTEST = """
    pytest_plugins = [
        f"plumbline.verification.plugins.{name}" for name in ("disrupt", "stack", "browser", "sentences")
    ]
"""
CHECKS = """
    import pytest

    def test_a_list_is_empty():
        assert [1, 2] == []

    @pytest.mark.parametrize("service", ["log-sink"])
    def test_a_service_answers(service):
        {}["answer"]

    def test_has_its_own_sentence():
        pytest.fail("redis: save is 60 1; expected none\\nNext: git checkout docker/redis")
"""


def test_messages_of_red_checks_are_completed(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(CONFTEST)
    folder = pytester.mkdir("tests") / "smoke"
    folder.mkdir()
    pytester.makepyfile(**{"tests/smoke/test_channels": CHECKS, "test_units": CHECKS})
    found = {}

    class Collector:
        def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
            if report.failed:
                found[report.nodeid] = report.longrepr.reprcrash.message  # type: ignore[union-attr]

    pytester.inline_run("--home", "elsewhere", "-p", "no:cacheprovider", plugins=[Collector()])
    ours = {name.partition("::")[2]: said for name, said in found.items() if name.startswith("tests/smoke")}
    assert ours["test_a_list_is_empty"].startswith(
        "backend: not as expected: a list is empty. Found: assert [1, 2] == []"
    )
    assert ours["test_a_list_is_empty"].endswith("--component backend")
    assert ours["test_a_service_answers[log-sink]"].startswith(
        "log-sink: not as expected: a service answers (log-sink). Found: KeyError: 'answer'\nNext: "
    )
    assert ours["test_has_its_own_sentence"] == "redis: save is 60 1; expected none\nNext: git checkout docker/redis"
    units = [said for name, said in found.items() if name.startswith("test_units.py::test_a_list")]
    assert len(units) == 1
    assert not units[0].startswith("backend")


@pytest.mark.parametrize(
    ("message", "begins"),
    [
        ("assert 1 == 2", "the stack: not as expected: all is well. Found: assert 1 == 2"),
        ("AssertionError: backend: expected 1", "backend: expected 1"),
        ("Failed: DID NOT RAISE <class 'X'>", "the stack: not as expected: all is well. Found: DID NOT RAISE"),
        ("queue.Empty", "the stack: not as expected: all is well. Found: queue.Empty"),
    ],
)
def test_a_message_begins_with_a_component(message: str, begins: str) -> None:
    said = sentences.completed(message, None, "all is well", "./deploy-local.sh logs")
    assert said.startswith(begins)
    assert said.endswith("\nNext: ./deploy-local.sh logs")


def test_every_named_file_and_component_exists() -> None:
    for suite, components in sentences.ABOUT.items():
        assert components.keys() <= {*COMPONENTS}
        files = {path.stem.removeprefix("test_") for path in (ROOT / "tests" / suite).glob("test_*.py")}
        named = " ".join(components.values()).split()
        assert {*named} <= files
        assert len(named) == len({*named})
