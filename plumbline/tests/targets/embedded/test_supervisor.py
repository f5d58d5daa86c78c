"""What supervisord does for us: restarts, logs, a clean environment, and changes that touch only what changed."""

from __future__ import annotations

import json
import os
import pwd
import signal
import stat
import subprocess
import sys
import tempfile

import psutil
import pytest

from plumbline import cli
from plumbline.errors import StepError
from plumbline.home import Home
from plumbline.targets.embedded import supervisor as supervisor_module
from plumbline.targets.embedded.supervisor import Program, Supervisor
from plumbline.verification.throwaway import wait_until

_PRINT_ENVIRONMENT = "import json, os, time; print(json.dumps(dict(os.environ)), flush=True); time.sleep(3600)"
_OWN = {"SUPERVISOR_ENABLED", "SUPERVISOR_SERVER_URL", "SUPERVISOR_PROCESS_NAME", "SUPERVISOR_GROUP_NAME"}


@pytest.fixture(scope="module")
def one_supervisor(tmp_path_factory):
    home = Home(tmp_path_factory.mktemp("supervisor") / "home")
    home.prepare()
    supervisor = Supervisor(home)
    yield supervisor, home
    supervisor.shutdown()


@pytest.fixture
def home(one_supervisor):
    return one_supervisor[1]


@pytest.fixture
def supervisor(one_supervisor, home):
    """A supervisor that knows no program. It is the same one for all tests here: starting it takes a second."""
    supervisor, _ = one_supervisor
    supervisor.apply([])
    for log in home.logs.glob("[!s]*.log"):
        log.unlink()
    return supervisor


def _log(home, name="one"):
    path = home.logs / f"{name}.log"
    return path.read_text() if path.exists() else ""


def _run(supervisor, *programs):
    """Apply programs, start them all, and wait until each has a process."""
    supervisor.apply(list(programs))
    for program in programs:
        supervisor.start(program.name)
    for program in programs:
        wait_until(lambda name=program.name: supervisor.component(name).pid is not None, f"{program.name} runs")


def _environment(supervisor, home, program):
    supervisor.apply([program])
    supervisor.start(program.name)
    wait_until(lambda: _log(home, program.name).endswith("}\n"), "the program has printed its environment")
    return json.loads(_log(home, program.name).splitlines()[-1])


def _gone(pid):
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_it_does_not_run_before_it_is_needed(tmp_path, supervised):
    home = Home(tmp_path / "home")
    supervisor = supervised(home)
    assert not supervisor.alive()
    assert supervisor.pid() is None
    assert supervisor.component("one").state == "stopped"
    supervisor.shutdown()
    assert not (home.run / "supervisord.conf").exists()


def test_a_program_runs_when_it_is_started_and_not_before(supervisor, program, home):
    supervisor.apply([program()])
    assert supervisor.alive()
    assert supervisor.component("one").state == "stopped"
    assert supervisor.start("one") is True
    assert supervisor.component("one").state == "running", "from its start on, and not once it is a second old"
    assert supervisor.start("one") is False, "it runs already"
    component = supervisor.component("one")
    assert component.log_file == str(home.logs / "one.log")
    assert component.since.endswith("+00:00")
    process = psutil.Process(component.pid)
    # Between fork and exec it still stands where the supervisor does.
    wait_until(lambda: process.cwd() == str(home.run / "one"), "it is in its own directory")
    assert process.ppid() == supervisor.pid()
    wait_until(lambda: _log(home) == "up\n", "its output is in its log")


def test_a_program_that_was_killed_is_started_again(supervisor, program):
    _run(supervisor, program())
    before = supervisor.component("one").pid
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: supervisor.component("one").pid not in (None, before), "it has a new process")


def test_kill_ends_the_children_as_well(supervisor, program, home):
    code = (
        "import subprocess, sys, time; c = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(3600)']);"
        "print(c.pid, flush=True); time.sleep(3600)"
    )
    _run(supervisor, program(code=code))
    wait_until(lambda: _log(home) != "", "the child runs")
    before, child = supervisor.component("one").pid, int(_log(home).split()[0])
    supervisor.kill("one")
    wait_until(lambda: _gone(before) and _gone(child), "both processes are gone")
    wait_until(lambda: supervisor.component("one").pid not in (None, before), "it was started again")
    supervisor.stop("one")


def test_what_did_not_change_goes_on_running(supervisor, program):
    _run(supervisor, program("one"), program("two"), program("three"))
    before = {name: supervisor.component(name).pid for name in ("one", "two", "three")}
    changed = program("two", environment={"A": "1"})
    supervisor.apply([program("one"), changed, program("four")])
    assert supervisor.component("one").pid == before["one"]
    assert supervisor.component("two").state == "stopped", "it waits to be started with its new settings"
    assert supervisor.component("three").pid is None
    assert _gone(before["two"])
    assert _gone(before["three"])
    for name in ("two", "four"):
        assert supervisor.start(name)
        wait_until(lambda name=name: supervisor.component(name).pid is not None, f"{name} runs")
    # Until it is past its fork and exec it still has the supervisor's environment.
    two = psutil.Process(supervisor.component("two").pid)
    wait_until(lambda: two.environ().get("A") == "1", "it runs with its new settings")
    assert supervisor.component("one").pid == before["one"]


def test_any_setting_that_changes_takes_effect(supervisor, program):
    changes = [{"code": "import time; time.sleep(99)"}, {"environment": {"A": "2"}}, {"stop_signal": "INT"}]
    for changed in changes:
        _run(supervisor, program())
        before = supervisor.component("one").pid
        supervisor.apply([program(**changed)])
        assert _gone(before), changed


def test_a_second_supervisor_object_finds_the_running_one(supervisor, program, home):
    _run(supervisor, program())
    again = Supervisor(home)
    assert again.pid() == supervisor.pid()
    again.apply([program()])
    assert again.component("one").pid == supervisor.component("one").pid


def test_a_program_that_cannot_run_is_failed_with_its_exit_status(supervisor, program):
    supervisor.apply([program(code="raise SystemExit(78)")])
    supervisor.start("one")
    wait_until(lambda: supervisor.component("one").state == "failed", "it has failed")
    assert supervisor.component("one").detail
    wait_until(lambda: supervisor.exit_status("one") == 78, "its exit status is known")


def test_a_program_that_was_ended_by_a_signal_says_which(supervisor, program):
    supervisor.apply([program("killed", code="import os, signal; os.kill(os.getpid(), signal.SIGKILL)")])
    assert supervisor.last_end("killed") == ""
    supervisor.start("killed")
    wait_until(lambda: supervisor.last_end("killed") == "terminated by SIGKILL", "the signal is known")
    assert supervisor.exit_status("killed") is None


def test_a_program_that_does_not_exist_is_refused_in_words(supervisor, home):
    with pytest.raises(StepError, match=r"one cannot be started: .*absent") as caught:
        supervisor.apply([Program("one", [str(home.root / "absent")], home.run / "one")])
    assert caught.value.component == "one"


def test_a_failed_program_can_be_started_once_it_is_mended(supervisor, program, home):
    flag = home.run / "flag"
    code = f"import os, time; os.path.exists({str(flag)!r}) or exit(1); print('mended', flush=True); time.sleep(99)"
    supervisor.apply([program(code=code)])
    supervisor.start("one")
    wait_until(lambda: supervisor.component("one").state == "failed", "it has failed")
    flag.touch()
    supervisor.start("one")
    wait_until(lambda: _log(home) == "mended\n", "it runs")


def test_stop_uses_the_programs_own_signal_and_waits(supervisor, program, home):
    code = (
        "import signal, sys, time\n"
        "def end(number, frame): print('ended by', number, flush=True); sys.exit(0)\n"
        "signal.signal(signal.SIGINT, end); print('up', flush=True)\n"
        "while True: time.sleep(0.1)"
    )
    program = Program("one", [sys.executable, _script(home, code)], home.run / "one", stop_signal="INT")
    _run(supervisor, program)
    wait_until(lambda: "up" in _log(home), "its handler is there")
    pid = supervisor.component("one").pid
    supervisor.stop("one")
    assert _gone(pid)
    assert _log(home).endswith(f"ended by {signal.SIGINT}\n")
    assert supervisor.component("one").state == "stopped"
    supervisor.stop("one")


def _script(home, code):
    home.prepare()
    path = home.data / "script.py"
    path.write_text(code)
    return str(path)


def test_nothing_of_the_callers_environment_reaches_a_program(supervisor, program, home, monkeypatch):
    for name in ("OPERATOR_PASSWORD", "PYTHONPATH", "HTTP_PROXY", "DATABASE_URL", "PLUMBLINE_PORT"):
        monkeypatch.setenv(name, "of-the-caller")
    seen = _environment(supervisor, home, program(code=_PRINT_ENVIRONMENT, environment={"MINE": "1"}))
    assert "of-the-caller" not in seen.values()
    assert set(seen) - _OWN == {"MINE", "PATH", "HOME", "LC_ALL", "LC_CTYPE"} - ({"LC_CTYPE"} - set(seen))
    assert seen["HOME"] == str(home.run)


def test_values_reach_a_program_as_they_are(supervisor, program, home):
    values = ["a b", "100%", "%(here)s %(ENV_HOME)s", "it's", "a;b", "$HOME `id`", "ü🙂", "a,b=c", "back\\slash"]
    code = (
        "import json, os, sys, time\n"
        "print(json.dumps([sys.argv[1:], [os.environ[f'V{n}'] for n in range(len(sys.argv) - 1)], {}]), flush=True)\n"
        "time.sleep(99)"
    )
    path = _script(home, code)
    environment = {f"V{number}": value for number, value in enumerate(values)}
    supervisor.apply([Program("one", [sys.executable, path, *values], home.run / "one", environment)])
    supervisor.start("one")
    wait_until(lambda: _log(home) != "", "the program has said what reached it")
    assert json.loads(_log(home))[:2] == [values, values]


def test_a_homes_name_may_be_an_unusual_one(tmp_path, supervised, program):
    home = Home(tmp_path / "it's an ümläut, c#;x (really)")
    supervisor = supervised(home)
    _run(supervisor, Program("one", program().command, home.run / "one"))
    wait_until(lambda: _log(home) == "up\n", "its log is where it belongs")


def test_a_home_deeper_than_a_sockets_path_may_be(tmp_path, supervised, program):
    deep = Home(tmp_path / ("d" * 60) / ("e" * 60) / "home")
    deeper = Home(tmp_path / ("d" * 60) / ("e" * 60) / "another")
    supervisors = [supervised(home) for home in (deep, deeper)]
    for supervisor, home in zip(supervisors, (deep, deeper), strict=True):
        _run(supervisor, Program("one", program().command, home.run / "one"))
        folder = supervisor._socket.parent
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert folder.stat().st_uid == os.geteuid()
    assert supervisors[0].pid() != supervisors[1].pid(), "each home has its own"
    folder = supervisors[0]._socket.parent
    supervisors[0].shutdown()
    assert supervisors[1].component("one").pid, "and does not see the other's"
    assert not folder.exists(), "nothing is left outside of the home"


def test_files_of_another_user_in_the_temporary_folder_do_no_harm(
    tmp_path, public_folder, supervised, program, monkeypatch
):
    shared = public_folder / "tmp"
    shared.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(shared))
    home = Home(tmp_path / ("d" * 60) / ("e" * 60) / "home")
    (shared / f"plumbline-{os.geteuid()}").write_text("taken")
    supervisor = supervised(home)
    _run(supervisor, program())
    assert Supervisor(home).pid() == supervisor.pid(), "the next command finds it"
    supervisor.shutdown()
    # /tmp was cleared, and another user has made a folder of that name since.
    taken = shared / "taken"
    taken.mkdir()
    taken.chmod(0o777)
    (home.run / "socket-folder").symlink_to(taken)
    assert Supervisor(home)._socket.parent != taken, "the socket of another user is not used"
    _run(supervisor, program())
    assert supervisor._socket.parent != taken
    assert supervisor._socket.parent.stat().st_mode & 0o077 == 0
    _kill_all(supervisor)
    supervisor.shutdown()
    assert not supervisor._socket.parent.exists(), "nor is anything left of one that was killed"


def _kill_all(supervisor):
    left = supervisor.component("one").pid
    psutil.Process(supervisor.pid()).kill()
    wait_until(lambda: not supervisor.alive(), "it is gone")
    psutil.Process(left).kill()


def test_shutdown_ends_everything_and_is_harmless_twice(supervisor, program):
    _run(supervisor, program("one"), program("two"))
    pids = [supervisor.pid(), *(supervisor.component(name).pid for name in ("one", "two"))]
    supervisor.shutdown()
    assert all(_gone(pid) for pid in pids)
    assert not supervisor.alive()
    assert supervisor.component("one").state == "stopped"
    supervisor.shutdown()


def test_a_process_that_its_parent_does_not_reap_has_ended():
    with subprocess.Popen(["true"]) as child:
        supervisor_module._wait(psutil.Process(child.pid))


def test_reset_ends_what_runs_from_a_home_whose_state_file_is_gone(tmp_path, supervised, program, capsys):
    home = Home(tmp_path / "home")
    supervisor = supervised(home)
    _run(supervisor, Program("caddy", program().command, home.run / "caddy"))
    running = psutil.Process(supervisor.component("caddy").pid)
    code = cli.main(["reset", "--yes", "--home", str(home.root)])
    gone = not home.root.exists()
    home.prepare()  # for what comes after each test
    assert (code, capsys.readouterr().out, gone) == (0, f"Deleted {home.root}.\n", True)
    assert not running.is_running()


def test_after_its_own_death_it_is_started_again(supervisor, program):
    _run(supervisor, program())
    dead, orphan = supervisor.pid(), supervisor.component("one").pid
    os.kill(dead, signal.SIGKILL)
    wait_until(lambda: not supervisor.alive(), "it is noticed")
    assert supervisor.component("one").state == "stopped"
    psutil.Process(orphan).kill()
    _run(supervisor, program())
    assert supervisor.pid() != dead


def test_what_it_reads_and_listens_on_is_closed_to_others(supervisor, program, home):
    supervisor.apply([program()])
    assert stat.S_IMODE((home.run / "supervisord.conf").stat().st_mode) == 0o600
    assert stat.S_IMODE(supervisor._socket.stat().st_mode) == 0o700


def test_a_supervisor_that_stands_still_stops_no_program(supervisor, home):
    code = "import sys, time\nwhile True: sys.stdout.write('x' * 1023 + '\\n'); sys.stdout.flush(); time.sleep(0.001)"
    supervisor.apply([Program("one", [sys.executable, _script(home, code)], home.run / "one")])
    supervisor.start("one")
    wait_until(lambda: "x" in _log(home), "it writes")
    os.kill(supervisor.pid(), signal.SIGSTOP)
    pid = int((home.run / "supervisord.pid").read_text())
    try:
        size = len(_log(home))
        # Many times what fits into a pipe.
        wait_until(lambda: len(_log(home)) > size + 512 * 1024, "it goes on writing")
    finally:
        os.kill(pid, signal.SIGCONT)
    supervisor.stop("one")


def test_a_supervisor_that_hangs_is_found_and_ended(tmp_path, supervised, program, monkeypatch):
    monkeypatch.setattr(supervisor_module, "_ANSWER_S", 0.5)
    home = Home(tmp_path / "home")
    supervisor = supervised(home)
    _run(supervisor, Program("one", program().command, home.run / "one"))
    pid = supervisor.pid()
    os.kill(pid, signal.SIGSTOP)
    assert not supervisor.alive()
    assert supervisor.hung_pid() == pid
    supervisor.end_if_hung()
    assert _gone(pid)
    assert supervisor.hung_pid() is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run a program under another account")
def test_a_program_may_run_under_an_account_of_its_own(public_folder, supervised):
    home = Home(public_folder / "home")
    supervisor = supervised(home)
    nobody = pwd.getpwnam("nobody")
    _run(supervisor, Program("one", ["/bin/sleep", "3600"], home.data, user="nobody"))
    process = psutil.Process(supervisor.component("one").pid)
    wait_until(lambda: process.name() == "sleep", "it is past its fork")
    assert set(process.uids()) == {nobody.pw_uid}
    supervisor.stop("one")
