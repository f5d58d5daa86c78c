"""Tests that share what they start run in one process, and no two processes choose the same port."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections import defaultdict

import psutil
import pytest

from plumbline import ROOT
from plumbline.verification.plugins import parallel
from plumbline.verification.throwaway import wait_until

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
# xdist kills its processes at once, as it does on a machine where stopping servers takes longer than it waits.
IMPATIENT = """
    from xdist.workermanage import NodeManager

    NodeManager.EXIT_TIMEOUT = 0.1
    pytest_plugins = ["plumbline.verification.plugins.parallel"]
"""
SERVER = """
    import subprocess
    import time
    import pytest

    @pytest.fixture(scope="session")
    def server(pytestconfig):
        with subprocess.Popen(["sleep", "600"]) as process:
            (pytestconfig.rootpath / "pid").write_text(str(process.pid))
            yield process
            process.terminate()

    def test_that_takes_long(server):
        time.sleep(600)
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


def test_a_session_whose_first_process_alone_is_interrupted_leaves_nothing_running(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makeconftest(IMPATIENT)
    pytester.makepyfile(SERVER)
    written = pytester.path / "pid"
    command = [sys.executable, "-m", "pytest", "-n", "1", "-p", "no:schemathesis"]
    with subprocess.Popen(command, cwd=pytester.path, stdout=subprocess.PIPE, text=True) as session:
        try:
            wait_until(lambda: written.exists() and bool(written.read_text()), "the server runs")
        finally:
            session.send_signal(signal.SIGINT)
        output, _ = session.communicate(timeout=120)
    server = int(written.read_text())
    try:
        assert not psutil.pid_exists(server), output
    finally:
        if psutil.pid_exists(server):
            psutil.Process(server).kill()


def test_every_test_that_needs_an_engine_is_in_the_folder_that_has_one_process() -> None:
    marked = re.compile(r"^(?:pytestmark = |@)pytest\.mark\.engine", re.MULTILINE)
    tests = [*(ROOT / "plumbline").rglob("test_*.py"), *(ROOT / "services").rglob("test_*.py")]
    found = [file.relative_to(ROOT).as_posix() for file in tests if marked.search(file.read_text())]
    assert found
    assert {parallel.group(f"{file}::test_it") for file in found} == {"plumbline/tests/targets/compose/"}
