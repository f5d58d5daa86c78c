"""State, lock and access rights of a home."""

from __future__ import annotations

import fcntl
import json
import os
import pwd
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from plumbline import ROOT
from plumbline.errors import PlumblineError
from plumbline.home import Home, State
from plumbline.verification.throwaway import unprivileged, wait_until

_HOLD = """
import sys
from pathlib import Path
from plumbline.home import Home
with Home(Path(sys.argv[1])).lock("reset"):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def held(home):
    """Another process that has locked the home."""
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(home.root)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_creating_a_home_object_changes_nothing(home, tmp_path, listing):
    assert not home.exists
    assert home.load() == State()
    assert listing(tmp_path) == {}


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_a_home_is_private_with_every_umask(home, mask):
    before = os.umask(mask)
    try:
        home.prepare()
        home.prepare()
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (home.root, *home.root.iterdir())}
    passage = 0o711 if os.geteuid() == 0 else 0o700  # Postgres has an account of its own in root's stack
    assert modes == {
        "home": passage, "data": passage, "secrets": 0o700, "logs": 0o700, "run": 0o700, ".plumbline-home": 0o600,
        "settings.env": 0o600,
    }  # fmt: skip


def test_state_is_saved_without_partial_files(home):
    home.prepare()
    saved = home.save(State(), target="embedded", phase="ready", ports={"front": 8080})
    assert Home(home.root).load() == saved
    files = sorted(path.name for path in home.root.iterdir() if path.is_file())
    assert files == [".plumbline-home", "settings.env", "state.copy.json", "state.json"]


def test_an_interrupted_save_keeps_the_previous_state(home, monkeypatch):
    home.prepare()
    saved = home.save(State(), target="embedded", stack_id="before")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pathlib.Path.replace", killed)
    with pytest.raises(KeyboardInterrupt):
        home.save(saved, stack_id="after")
    assert home.load().stack_id == "before"


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"7", b'"x"', b"{}", b'{"format": 1, "ports": []}', b"\xff\xfe",
     b'{"format": 1, "ports": {}, "target": 7}', b'{"format": 1, "ports": {"front": "http"}}'],
)  # fmt: skip
def test_a_corrupt_state_file_is_named_with_a_hint(home, content):
    home.prepare()
    (home.root / "state.json").write_bytes(content)
    with pytest.raises(PlumblineError, match=str(home.root / "state.json")) as caught:
        home.load()
    assert caught.value.hint


def test_a_corrupt_state_file_is_restored_from_its_copy(home):
    home.prepare()
    saved = home.save(home.save(State(), stack_id="first"), stack_id="second")
    assert not home.repair()
    (home.root / "state.json").write_text("")
    with pytest.raises(PlumblineError) as caught:
        home.load()
    assert "./deploy-local.sh doctor --repair" in caught.value.hint
    assert home.repair()
    assert home.load() == saved


@pytest.mark.parametrize("copy", [None, "", '{"format": 2, "ports": {}}'])
def test_a_corrupt_state_file_without_a_copy_is_not_repaired(home, copy):
    home.prepare()
    (home.root / "state.json").write_text("{")
    if copy is not None:
        (home.root / "state.copy.json").write_text(copy)
    for command in (home.load, home.repair):
        with pytest.raises(PlumblineError) as caught:
            command()
        assert caught.value.hint
        assert "--repair" not in caught.value.hint
    assert (home.root / "state.json").read_text() == "{"


def test_a_state_of_another_format_is_refused(home):
    home.prepare()
    home.save(State())
    raw = json.loads((home.root / "state.json").read_text())
    (home.root / "state.json").write_text(json.dumps(raw | {"format": 2}))
    with pytest.raises(PlumblineError, match=r"another version of Plumbline \(format 2\)"):
        home.load()


def test_unknown_fields_of_the_same_format_are_ignored(home):
    home.prepare()
    saved = home.save(State(), stack_id="abc")
    raw = json.loads((home.root / "state.json").read_text())
    (home.root / "state.json").write_text(json.dumps(raw | {"later": True}))
    assert home.load() == saved


def test_a_second_command_is_refused_with_the_name_of_the_first(home, held):
    with pytest.raises(PlumblineError, match=rf"'reset' \(pid {held.pid}\) is working on {home.root}"), home.lock("up"):
        pytest.fail("the home was held twice")
    assert held.poll() is None


def test_a_killed_command_releases_the_lock(home, held):
    held.kill()
    held.wait()
    with home.lock("up"):
        assert f"'up' (pid {os.getpid()})" in (home.root / ".plumbline-home").read_text()


def test_a_failed_command_releases_the_lock(home):
    with pytest.raises(RuntimeError), home.lock("up"):
        raise RuntimeError
    with home.lock("up"):
        pass


@pytest.mark.parametrize("existing", ["", "home"])
def test_a_command_that_deploys_nothing_leaves_nothing_on_disk(tmp_path, listing, existing):
    (tmp_path / existing).mkdir(exist_ok=True)
    before = listing(tmp_path)
    with Home(tmp_path / "home" / "deep").lock("up"):
        assert listing(tmp_path) != before
    assert listing(tmp_path) == before


def test_prepared_files_are_kept(home):
    home.secrets.mkdir(parents=True)
    (home.secrets / "token_secret").write_text("mine")
    with home.lock("up"):
        pass
    assert (home.secrets / "token_secret").read_text() == "mine"


def test_a_home_can_be_deleted_under_its_lock(home):
    with home.lock("reset"):
        home.remove()
    assert not home.root.exists()


_RACE = """
import sys
from pathlib import Path
from plumbline.errors import PlumblineError
from plumbline.home import Home
inside = Path(sys.argv[2])
for _ in range(300):
    try:
        with Home(Path(sys.argv[1])).lock("up"):
            inside.touch(exist_ok=False)
            inside.unlink()
    except PlumblineError:
        pass
"""


def test_the_lock_is_exclusive_although_its_file_is_deleted(home):
    inside = home.root.with_name("inside")
    racing = [subprocess.Popen([sys.executable, "-c", _RACE, str(home.root), str(inside)], cwd=ROOT) for _ in range(2)]
    assert [one.wait(60) for one in racing] == [0, 0], "both were inside at the same time"


@pytest.mark.parametrize("below", ["", "below", "below/deeper"])
def test_a_home_in_a_file_is_refused(tmp_path, below):
    (tmp_path / "file").write_text("x")
    with pytest.raises(PlumblineError, match="cannot be used") as caught, Home(tmp_path / "file" / below).lock("up"):
        pytest.fail("held a file")
    assert "--home" in caught.value.hint


def test_a_home_that_is_a_broken_link_is_refused(tmp_path):
    link = tmp_path / "home"
    link.symlink_to(tmp_path / "gone")
    with pytest.raises(PlumblineError, match="link to a folder that does not exist") as caught, Home(link).lock("up"):
        pytest.fail("held a link to nothing")
    assert "--home" in caught.value.hint


def test_the_first_settings_file_is_not_written_through_a_link(home, tmp_path):
    home.root.mkdir()
    home.settings.symlink_to(tmp_path / "elsewhere")
    home.prepare()
    assert not (tmp_path / "elsewhere").exists()


def test_a_home_in_a_read_only_folder_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with (
            unprivileged(),
            pytest.raises(PlumblineError, match="cannot be used: Permission denied"),
            Home(tmp_path / "home").lock("up"),
        ):
            pytest.fail("locked another user's folder")
    finally:
        tmp_path.chmod(0o700)


def test_the_lock_is_free_after_the_first_command(home, held):
    held.stdin.write("\n")
    held.stdin.flush()

    def free() -> bool:
        try:
            with home.lock("up"):
                return True
        except PlumblineError:
            return False

    wait_until(free, "the home is free again")


def test_the_next_command_restricts_access_to_an_older_home(home):
    home.prepare()
    home.save(State(), target="embedded")
    (home.root / "lock").touch()
    for path in (home.root, *home.root.iterdir()):
        path.chmod(0o755)
    with home.lock("up"):
        modes = {path.name: path.stat().st_mode & 0o077 for path in (home.root, *home.root.iterdir())}
    passage = 0o011 if os.geteuid() == 0 else 0
    assert {name for name, mode in modes.items() if mode} == ({"home", "data"} if passage else set())
    assert modes["home"] == modes["data"] == passage


def test_another_user_who_holds_the_lock_is_named(public_folder):
    if os.geteuid() != 0:
        pytest.skip("only root can let another user take the lock")
    home = Home(public_folder / "home")
    home.prepare()
    marker = home.root / ".plumbline-home"
    tell, until = os.pipe(), os.pipe()
    stranger = os.fork()  # forked, because the account may not be allowed to start this Python
    if stranger == 0:
        descriptor = os.open(marker, os.O_RDWR)
        os.setuid(pwd.getpwnam("nobody").pw_uid)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.write(tell[1], b"held")
        os.read(until[0], 1)
        os._exit(0)
    try:
        assert os.read(tell[0], 4) == b"held"
        with pytest.raises(PlumblineError, match=rf"nobody has locked {marker} with .*\(pid {stranger}\)") as caught:
            home.lock("up").__enter__()
        assert f"kill {stranger}" in caught.value.hint
    finally:
        os.write(until[1], b".")
        os.waitpid(stranger, 0)
        for descriptor in (*tell, *until):
            os.close(descriptor)


def test_other_users_cannot_open_marker_and_state(public_folder):
    home = Home(public_folder / "home")
    home.prepare()
    with home.lock("up"):
        home.save(State(), target="embedded")
        for name in (".plumbline-home", "state.json", "state.copy.json"):
            if os.geteuid() == 0:
                with unprivileged(), pytest.raises(PermissionError):
                    (home.root / name).open()
            assert (home.root / name).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("root", ["/srv/one", "/srv/a longer name of a home, with spaces", f"/srv/{'x' * 90}"])
def test_a_note_fits_a_terminal_and_keeps_its_commands_whole(root):
    said = Home(Path(root)).note(
        "none is verified: ./deploy-local.sh backup --every 6h, then it says when that was done"
    )
    command = f"./deploy-local.sh backup --home {shlex.quote(root)} --every"
    assert command in said
    assert [line for line in said.splitlines() if len(line) > 80 and command not in line] == []
    if root == "/srv/one":
        assert max(map(len, said.splitlines())) <= 80, "the command fits, and so must its line"
    assert " ".join(said.split()) == f"none is verified: {command} 6h, then it says when that was done"
