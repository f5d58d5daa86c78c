"""deploy-local.sh finds a Python and installs packages, or prints what to do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from plumbline import ROOT

_TOOLS = ("bash", "dirname", "readlink", "head", "cut", "cksum", "cat", "rm", "mkdir", "touch", "env")
_FAKE = """#!/bin/sh
[ "$1" != -I ] || shift
case "$1" in
  --version) echo "{version}" ;;
  -c) exec "{real}" -I -c "import sys; sys.version_info = {numbers}; $2" ;;
  *) echo "$@" >>"{calls}"; exit {otherwise} ;;
esac
"""


@pytest.fixture
def checkout(tmp_path):
    """A folder with the script and its lock files."""
    root = tmp_path / "checkout"
    (root / "requirements").mkdir(parents=True)
    shutil.copy(ROOT / "deploy-local.sh", root)
    for lock in ("local.txt", "bootstrap.txt"):
        shutil.copy(ROOT / "requirements" / lock, root / "requirements")
    return root


@pytest.fixture
def path(tmp_path):
    """A PATH with the script's tools and without Python."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in _TOOLS:
        (folder / tool).symlink_to(shutil.which(tool))
    return folder


def _fake(path, name, *, version="Python 3.12.1", otherwise=0):
    """Create a program that claims to be this Python version, and records its other calls."""
    program = path / name
    numbers = tuple(map(int, version.split()[1].split(".")))
    program.write_text(
        _FAKE.format(version=version, numbers=numbers, real=sys.executable, otherwise=otherwise, calls=path / "calls")
    )
    program.chmod(0o755)
    return program


def _run(checkout, path, *arguments, cwd=None, **environment):
    return subprocess.run(
        [str(checkout / "deploy-local.sh"), *arguments], cwd=cwd,
        env={"PATH": str(path), **environment}, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def _stamp(checkout):
    """Record that `.venv` was installed from the current lock files."""
    digest = subprocess.run(
        f"cksum '{checkout}/requirements/local.txt' '{checkout}/requirements/bootstrap.txt' "
        f"'{checkout}/deploy-local.sh' | cut -d' ' -f1,2",
        shell=True, capture_output=True, check=True,
    ).stdout  # fmt: skip
    (checkout / ".venv" / ".installed-from").write_bytes(digest)


def test_shellcheck_finds_nothing():
    beside = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    shellcheck = shutil.which("shellcheck", path=beside)
    assert shellcheck, "shellcheck belongs to requirements/dev.txt"
    done = subprocess.run([shellcheck, str(ROOT / "deploy-local.sh")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_a_missing_python_is_reported(checkout, path, listing):
    before = listing(checkout)
    done = _run(checkout, path)
    assert done.returncode == 1
    assert "Python 3.11 or newer is needed; found: none." in done.stderr
    assert "apt-get install python3 python3-venv" in done.stderr
    assert "PLUMBLINE_PYTHON=" in done.stderr
    assert listing(checkout) == before


def test_old_pythons_are_reported(checkout, path, listing):
    before = listing(checkout)
    _fake(path, "python3", version="Python 3.10.14")
    _fake(path, "python", version="Python 2.7.18")
    done = _run(checkout, path)
    assert done.returncode == 1
    assert f"Python 3.10.14 ({path / 'python3'})" in done.stderr
    assert f"Python 2.7.18 ({path / 'python'})" in done.stderr
    assert "apt-get install python3 python3-venv" in done.stderr
    assert listing(checkout) == before


def test_a_newer_python_is_preferred_to_an_old_one(checkout, path):
    _fake(path, "python3", version="Python 3.8.10")
    _fake(path, "python3.12", otherwise=1)
    done = _run(checkout, path)
    assert "Installing into .venv with Python 3.12.1" in done.stdout
    assert (path / "calls").read_text() == f"-m venv {checkout}/.venv\n"


def test_the_oldest_supported_python_is_used(checkout, path):
    _fake(path, "python3", version="Python 3.11.0", otherwise=1)
    assert "with Python 3.11.0" in _run(checkout, path).stdout


def test_plumbline_python_is_preferred(checkout, path, tmp_path):
    _fake(path, "python3")
    named = _fake(tmp_path, "mine", version="Python 3.13.9", otherwise=1)
    done = _run(checkout, path, PLUMBLINE_PYTHON=str(named))
    assert "with Python 3.13.9" in done.stdout


def test_a_python_without_venv_is_reported(checkout, path, listing):
    before = listing(checkout)
    _fake(path, "python3", otherwise=1)
    done = _run(checkout, path)
    assert done.returncode == 1
    assert "cannot create a virtual environment. On Debian: apt-get install python3-venv" in done.stderr
    assert listing(checkout) == before


def test_a_checkout_of_another_user_is_refused(checkout, path, public_folder, listing):
    theirs = Path(shutil.copytree(checkout, public_folder / "checkout"))
    tools = Path(shutil.copytree(path, public_folder / "bin", symlinks=True))
    (tools / "python3").write_text("#!/bin/sh\nexit 0\n")
    (tools / "python3").chmod(0o755)
    theirs.chmod(0o555)
    before = listing(theirs)
    done = subprocess.run(
        [str(theirs / "deploy-local.sh")],
        env={"PATH": str(tools)}, capture_output=True, text=True, check=False,
        user="nobody" if os.geteuid() == 0 else None,
    )  # fmt: skip
    assert done.returncode == 1
    assert f"{theirs} is not writable by this user" in done.stderr
    assert listing(theirs) == before


def test_an_installed_venv_is_used_and_gets_every_argument(checkout, path):
    venv = checkout / ".venv" / "bin"
    venv.mkdir(parents=True)
    program = venv / "python"
    program.write_text('#!/bin/sh\nprintf "%s|" "${PYTHONPATH-unset}" "$@"\nexit 7\n')
    program.chmod(0o755)
    _stamp(checkout)
    done = _run(checkout, path, "up", "--home", "with space", PYTHONPATH="mine")
    assert done.returncode == 7, "the exit code is the command's own"
    assert done.stdout == f"unset|-I|{checkout}/plumbline/__main__.py|up|--home|with space|"
    program.rename(checkout / "gone")
    program.symlink_to(checkout / "nowhere")
    assert "found: none" in _run(checkout, path, "up").stderr, "the Python of the venv is gone"
    (checkout / "gone").replace(program)
    assert _run(checkout, path, "up").returncode == 7
    with (checkout / "requirements" / "local.txt").open("a") as lock:
        lock.write("# changed\n")
    assert "found: none" in _run(checkout, path, "up").stderr, "a changed lock causes an installation"


def test_a_users_own_venv_is_not_changed(checkout, path, listing):
    _fake(path, "python3")
    (checkout / ".venv" / "bin").mkdir(parents=True)
    (checkout / ".venv" / "bin" / "mine").write_text("x")
    before = listing(checkout)
    done = _run(checkout, path)
    assert done.returncode == 1
    assert f"{checkout}/.venv was not created by this script: move it away" in done.stderr
    assert listing(checkout) == before


def test_an_interrupted_installation_is_repeated(checkout, path):
    _fake(path, "python3", otherwise=1)
    (checkout / ".venv").mkdir()
    (checkout / ".venv" / ".made-by-deploy-local").touch()
    assert "cannot create a virtual environment" in _run(checkout, path).stderr


_EVIL = "from pathlib import Path\nPath({mark!r}).touch()\nraise SystemExit('not our code')\n"


@pytest.fixture
def mark(tmp_path):
    """A file that code of the caller's folder creates when it runs."""
    return tmp_path / "ran"


@pytest.fixture
def hostile(tmp_path, mark):
    """A folder with modules and programs that have the names of those we import and run."""
    folder = tmp_path / "hostile"
    (folder / "plumbline").mkdir(parents=True)
    for name in ("secrets", "json", "argparse", "pip", "venv", "sitecustomize", "usercustomize", "plumbline/__main__"):
        (folder / f"{name}.py").write_text(_EVIL.format(mark=str(mark)))
    for name in ("python3", "cksum", "dirname", "startup"):
        (folder / name).write_text(f"#!/bin/sh\ntouch '{mark}'\n")
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture
def installed(checkout):
    """The checkout with its packages installed."""
    for name in ("plumbline", "services"):
        (checkout / name).symlink_to(ROOT / name)
    program = checkout / ".venv" / "bin" / "python"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    program.chmod(0o755)
    _stamp(checkout)
    return checkout


_SHELL = {
    "BASH_ENV": "{hostile}/startup", "ENV": "{hostile}/startup", "CDPATH": "{hostile}", "PATH": ":.:{path}:",
    "BASH_FUNC_dirname%%": "() {{ touch '{mark}'; }}",
}  # fmt: skip
_PYTHON = {
    "PYTHONHOME": "{hostile}", "PYTHONSTARTUP": "{hostile}/json.py", "PYTHONUSERBASE": "{hostile}",
    "PYTHONINSPECT": "1", "PYTHONPATH": "{hostile}",
}  # fmt: skip


@pytest.mark.parametrize("surroundings", [{}, {"PYTHONPATH": ""}, {"PYTHONPATH": "{hostile}"}, _SHELL, _PYTHON])
def test_only_code_of_the_checkout_runs(installed, path, hostile, mark, surroundings):
    given = {name: value.format(hostile=hostile, path=path, mark=mark) for name, value in surroundings.items()}
    packages = hostile / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    packages.mkdir(parents=True)
    shutil.copy(hostile / "usercustomize.py", packages)
    done = subprocess.run(
        [str(installed / "deploy-local.sh"), "plan"],
        env={"PATH": str(path), "HOME": str(hostile), **given}, cwd=hostile,
        capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "1. preflight" in done.stdout
    assert not mark.exists()


def test_only_code_of_the_checkout_runs_during_installation(checkout, path, hostile, mark):
    python = path / "python3"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    (checkout / "requirements" / "bootstrap.txt").write_text("--no-index\nnothing-of-this-name==1\n")
    (checkout / "requirements" / "local.txt").write_text("--no-index\nnothing-of-this-name==1\n")
    done = subprocess.run(
        [str(checkout / "deploy-local.sh")],
        env={"PATH": f".:{path}", **dict.fromkeys(("HOME", "PYTHONPATH", "PIP_TARGET"), str(hostile))}, cwd=hostile,
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert "the packages could not be installed" in done.stderr
    assert not mark.exists()


def test_uv_reads_no_settings_of_the_callers_folder(checkout, path, hostile):
    uv = Path(sys.executable).with_name("uv")
    assert uv.exists(), "uv belongs to requirements/dev.txt"
    (hostile / "uv.toml").write_text('required-version = "==0.0.1"\n')
    (checkout / "requirements" / "local.txt").write_text("--no-index\nnothing-of-this-name==1\n")
    python = path / "python3"
    python.write_text(f"""#!/bin/sh
    case "$*" in
      "-I -m venv"*) {shutil.which("mkdir")} "$4/bin" && {shutil.which("ln")} -s "{uv}" "{python}" "$4/bin" && \\
        {shutil.which("mv")} "$4/bin/python3" "$4/bin/python" ;;
      *"--require-hashes -r {checkout}/requirements/local.txt") exit 1 ;;
    esac
    """)
    python.chmod(0o755)
    done = _run(checkout, path, cwd=hostile)
    assert "uv could not install the packages" in done.stderr, "uv was called"
    assert "Required uv version" not in done.stderr


def test_the_script_can_be_called_through_a_link_and_by_a_relative_path(installed, path, hostile, tmp_path):
    link = tmp_path / "bin" / "plumb"
    link.symlink_to(os.path.relpath(installed / "deploy-local.sh", link.parent))
    relative = os.path.relpath(installed / "deploy-local.sh", hostile)
    for program in (str(link), relative, "plumb"):
        done = subprocess.run(
            [program, "plan"], env={"PATH": str(path), "CDPATH": str(hostile)}, cwd=hostile,
            capture_output=True, text=True, check=False, timeout=60,
        ) if program != "plumb" else subprocess.run(
            ["bash", "-c", "plumb plan"], env={"PATH": str(path)}, cwd=hostile,
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "1. preflight" in done.stdout
