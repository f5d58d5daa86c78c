"""Tests that share what they start run in one process, and no two processes choose the same port."""

from __future__ import annotations

import re
from collections import defaultdict

import pytest

from plumbline import ROOT
from plumbline.verification.plugins import parallel

pytest_plugins = ["pytester"]
TESTS = """
    import os
    import pytest
    from plumbline.net import free_port

    @pytest.mark.parametrize("number", range(3))
    def test_records_its_process_and_a_port(number, request):
        with (request.config.rootpath / "record").open("a") as file:
            print(request.path.stem, os.getpid(), free_port(), file=file)
"""
FOLDER = "plumbline/tests/targets/compose"
ENGINE = (f"{FOLDER}/test_bundle", f"{FOLDER}/test_lifecycle")


def test_a_file_and_the_engine_have_one_process_and_processes_have_own_ports(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makeconftest('pytest_plugins = ["plumbline.verification.plugins.parallel"]')
    (pytester.path / FOLDER).mkdir(parents=True)
    pytester.makepyfile(**dict.fromkeys(("test_one", "test_two", "test_three", *ENGINE), TESTS))
    pytester.runpytest_subprocess("-n", "2", "--import-mode=importlib").assert_outcomes(passed=15)
    processes, ports = defaultdict(set), defaultdict(set)
    for line in (pytester.path / "record").read_text().splitlines():
        file, process, port = line.split()
        processes[file].add(process)
        ports[process].add(port)
    assert {len(used) for used in processes.values()} == {1}
    assert processes["test_bundle"] == processes["test_lifecycle"]
    first, second = ports.values()
    assert not first & second


def test_every_test_that_needs_an_engine_is_in_the_folder_that_has_one_process() -> None:
    marked = re.compile(r"^(?:pytestmark = |@)pytest\.mark\.engine", re.MULTILINE)
    tests = [*(ROOT / "plumbline").rglob("test_*.py"), *(ROOT / "services").rglob("test_*.py")]
    found = [file.relative_to(ROOT).as_posix() for file in tests if marked.search(file.read_text())]
    assert found
    assert {parallel.group(f"{file}::test_it") for file in found} == {"plumbline/tests/targets/compose/"}
