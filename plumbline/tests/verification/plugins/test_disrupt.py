"""Disruptive checks need the marker, and on a stack in use the option."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

# The plugins of this checkout, on a scripted target; `--in-use` makes it a stack in use.
CONFTEST = """
    from contextlib import contextmanager
    from pathlib import Path

    import pytest

    from plumbline.verification.plugins import stack as stack_plugin
    from plumbline.home import Home
    from plumbline.tests.conftest import ScriptedTarget

    pytest_plugins = ["plumbline.verification.plugins.disrupt", "plumbline.verification.plugins.stack"]
    scripted = ScriptedTarget(Home(Path("home").absolute()))

    def pytest_addoption(parser):
        parser.addoption("--in-use", action="store_true")

    def own_stack(config, notes):
        yield scripted

    @pytest.fixture(scope="session", autouse=True)
    def stack_of_the_test(request):
        with pytest.MonkeyPatch.context() as patch:
            in_use = scripted if request.config.getoption("in_use") else None
            patch.setattr(stack_plugin, "existing_stack", lambda config: in_use)
            patch.setattr(stack_plugin, "_refuse_incomplete", lambda existing: None)
            patch.setattr(stack_plugin, "_own_stack", own_stack)
            yield
"""
CHECKS = """
    import pytest
    from plumbline.verification.checks import recorder

    @pytest.mark.disrupt
    def test_stops_a_part(target):
        target.stop("backend")
        target.start("backend")

    def test_asks(target):
        assert target.stack().components
        assert target.component("backend").name == "backend"
"""
SET_UP = """
    import pytest

    @pytest.fixture(scope="module")
    def without(target):
        target.stop("backend")
        yield
        target.start("backend")

    def test_whose_fixture_stops_a_part(without):
        pass
"""
UNMARKED = """
    import pytest
    from plumbline.verification.checks import disruption, recorder

    @pytest.mark.parametrize("method", ["stop", "start", "kill", "run"])
    def test_stops_a_part(target, method):
        getattr(target, method)("backend")

    def test_stops_all(target):
        target.down()

    def test_floods(target):
        recorder.log_burst(None, None, "flood")

    def test_runs_a_sink(target):
        with recorder.second_sink(target.stack()):
            pass

    def test_writes_to_redis(target):
        disruption.GuardedRedis(port=1).flushall()
"""


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[4]))
    pytester.makeini("[pytest]\naddopts = --strict-markers\nmarkers = disrupt: disrupts")
    pytester.makeconftest(CONFTEST)
    return pytester


def test_all_checks_run_on_the_suites_own_stack(suite: pytest.Pytester) -> None:
    suite.makepyfile(CHECKS)
    suite.runpytest_subprocess().assert_outcomes(passed=2)


def test_marked_checks_are_skipped_and_listed_on_a_stack_in_use(suite: pytest.Pytester) -> None:
    suite.makepyfile(CHECKS)
    result = suite.runpytest_subprocess("--in-use")
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines([
        "*1 not verified: would disrupt the stack in use; add --disrupt*",
        "*::test_stops_a_part",
    ])  # fmt: skip


def test_marked_checks_run_on_a_stack_in_use_with_disrupt(suite: pytest.Pytester) -> None:
    suite.makepyfile(CHECKS)
    suite.runpytest_subprocess("--in-use", "--disrupt").assert_outcomes(passed=2)


@pytest.mark.parametrize("options", [[], ["--in-use", "--disrupt"]], ids=" ".join)
def test_unmarked_disruptive_checks_fail_on_any_stack(suite: pytest.Pytester, options: list[str]) -> None:
    suite.makepyfile(UNMARKED)
    result = suite.runpytest_subprocess(*options)
    result.assert_outcomes(failed=8)
    result.stdout.fnmatch_lines(
        ["*test_stops_a_part?stop? calls stop(backend), which disrupts a stack in use: mark it*"]
    )


def test_a_fixture_counts_as_its_check(suite: pytest.Pytester) -> None:
    suite.makepyfile(SET_UP)
    suite.runpytest_subprocess().assert_outcomes(errors=1)
    suite.makepyfile("import pytest\npytestmark = pytest.mark.disrupt\n" + textwrap.dedent(SET_UP))
    suite.runpytest_subprocess().assert_outcomes(passed=1)
    suite.runpytest_subprocess("--in-use").assert_outcomes(skipped=1)
