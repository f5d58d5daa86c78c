"""Each check of a pytest run is recorded: with several processes, too, and if the run ends early."""

from __future__ import annotations

import os
from typing import Any

import pytest

from plumbline import ROOT
from plumbline.verification.report import record, usual
from plumbline.verification.report.assemble import assemble

pytest_plugins = ["pytester"]
PLUGINS = ("disrupt", "stack", "browser", "sentences", "created", "report", "progress")
CONFTEST = f"pytest_plugins = {[f'plumbline.verification.plugins.{name}' for name in PLUGINS]}"
CHECKS = '''
    """Things that hold.

    Protects from things that do not hold.
    """
    import os, threading
    import pytest
    from plumbline.verification.checks import evidence

    @pytest.fixture(scope="session")
    def broken():
        raise RuntimeError("no users can be made")

    def test_something_is_read():
        def work():
            evidence.count("rows", "messages", 3)
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        evidence.note("stream_length", 200)
        evidence.note("stream_length", 150)

    def test_nothing_is_read():
        pass

    @pytest.mark.skipif(True, reason="no Docker engine answers")
    def test_is_skipped():
        pass

    @pytest.mark.parametrize("number", range(3))
    def test_needs_a_user(broken, number):
        pass

    def test_is_red():
        assert 1 == 2, "password=correct-horse-battery"
'''
LAST = """
    import os, signal

    def test_ends_the_run():
        {}
"""


@pytest.fixture
def made(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(test_a=CHECKS)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "services" / "servicekit")]))
    monkeypatch.setenv(record.FOLDER, str(pytester.path))
    monkeypatch.setenv(record.SESSION, "unit")
    return pytester


def session(made: pytest.Pytester, *arguments: str, subprocess: bool = False) -> dict[str, Any]:
    run = made.runpytest_subprocess if subprocess else made.runpytest_inprocess
    run("--home", "elsewhere", "-p", "no:cacheprovider", *arguments)
    (only,) = assemble(record.read(made.path), usual.Usual())["sessions"]
    return dict(only)


@pytest.mark.parametrize("processes", [0, 2])
def test_checks_are_recorded(made: pytest.Pytester, processes: int) -> None:
    if processes:
        made.makepyfile(test_b=LAST.format("os.kill(os.getpid(), signal.SIGKILL)"))
    report = session(made, "-n", str(processes), subprocess=processes > 0)
    checks = {one["name"].partition("::test_")[2]: one for one in report["checks"]}
    if processes:
        dead = checks.pop("ends_the_run")
        assert dead["outcome"] == "failed"
        assert "crashed" in dead["explained"]["found"]
        report["counts"]["failed"] -= 1
    assert report["counts"] == {"passed": 2, "failed": 4, "skipped": 1, "interrupted": 0, "not_reached": 0}
    assert report["files"]["test_a.py"] == {"about": "Things that hold.", "guards": "things that do not hold."}
    read = checks["something_is_read"]
    assert read["evidence"] == {"rows": {"messages": 3}, "stream_length": 200}
    assert (read["claim"], read["guards"]) == ("something is read", "things that do not hold.")
    assert checks["nothing_is_read"]["evidence"] == {}
    assert checks["is_skipped"]["why"] == "no Docker engine answers"
    red = checks["is_red"]["explained"]
    assert red["found"].startswith("password=[redacted]")
    assert red["where_to_look"].startswith("test_a.py:")
    assert red["next"] == "nox -s unit -- -k test_is_red"


def test_a_broken_fixture_is_one_cause(made: pytest.Pytester) -> None:
    checks = [one for one in session(made)["checks"] if "test_needs_a_user" in one["name"]]
    assert [one["explained"].get("because_of") for one in checks] == [None, *["test_a.py::test_needs_a_user[0]"] * 2]
    assert "raise RuntimeError" in checks[0]["details"]
    assert "raise RuntimeError" not in checks[1]["details"]


@pytest.mark.parametrize(
    ("end", "trouble"),
    [
        ("raise KeyboardInterrupt", ""),
        ("os.kill(os.getpid(), signal.SIGKILL)", ""),
        ("import pytest; pytest.exit('the stack did not come up', 1)", "the stack did not come up"),
    ],
)
def test_a_run_that_ends_early(made: pytest.Pytester, end: str, trouble: str) -> None:
    made.makepyfile(test_b=LAST.format(end), test_c="def test_never(): pass")
    report = session(made, subprocess=True)
    last = report["checks"][-1]
    assert (last["name"], last["outcome"]) == ("test_b.py::test_ends_the_run", "interrupted")
    assert report["counts"]["not_reached"] == 1
    assert trouble in "".join(report["trouble"])


def test_a_file_that_cannot_be_collected_is_told(made: pytest.Pytester) -> None:
    made.makepyfile(test_b="import does_not_exist")
    assert "test_b.py cannot be collected" in session(made)["trouble"][0]


def test_a_check_that_takes_a_while_has_one_line(made: pytest.Pytester) -> None:
    made.makepyfile(
        test_slow="""
        import time
        from plumbline.verification import waiting
        from plumbline.verification.plugins import progress

        progress._AFTER_S = 0.01

        def test_slow():
            with waiting.on("the backend to answer"):
                time.sleep(0.2)
        """
    )
    (made.path / usual.FILE).write_text('{"sessions": {}, "checks": {"test_slow.py::test_slow": 23.4}}')
    result = made.runpytest_subprocess("--home", "elsewhere", "-p", "no:cacheprovider", "test_slow.py")
    said = [line for line in result.outlines if "waits for" in line]
    assert said == ["  slow: usually takes 23 s, waits for: the backend to answer"]
