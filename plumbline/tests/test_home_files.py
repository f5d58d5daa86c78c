"""`reset` deletes the stack's files only; users' files, in the home or behind a link, are kept and named."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from plumbline import ROOT, cli, home_files, preflight
from plumbline.components import PORTS
from plumbline.errors import PlumblineError
from plumbline.home import Home, State
from plumbline.targets.embedded import postgres, watch
from plumbline.targets.embedded.target import EmbeddedTarget
from plumbline.verification.throwaway import unprivileged


@pytest.fixture
def home(public_folder):
    return Home(public_folder / "home")


@pytest.fixture
def deployed(home):
    """The home of a stopped stack, with one file in every place where a stack creates files."""
    home.prepare()
    ports = {name: 20000 + number for number, name in enumerate(PORTS)}
    home.save(State(), target="embedded", stack_id="abc", phase="down", ports=ports)
    for name in (
        "secrets/token_secret", "secrets/.token_secret.partial", "data/postgres/PG_VERSION", "data/postgres.partial/x",
        "logs/backend.log", "logs/backend.log.1", "logs/migrate-backend.log", "logs/supervisord.log", "run/backend/tmp",
        "diagnostics/20250101T000000.000000-caddy/logs/x.log", "bundle/compose.yaml", "bundle/defaults/backend.env",
        ".kubernetes/overlay.yaml", "kubernetes.json", "lock",
    ):  # fmt: skip
        (home.root / name).parent.mkdir(parents=True, exist_ok=True)
        (home.root / name).write_text("made by the stack")
    return home


@pytest.fixture
def outside(tmp_path):
    """A user's folder outside of the home, with file names that a stack uses, too."""
    outside = tmp_path / "outside"
    (outside / "logs").mkdir(parents=True)
    for name in ("chapter-1.tex", "backend.log", "postgres", "logs/backend.log"):
        (outside / name).write_text("three years of work")
    return outside


def _reset(home, capsys):
    code = cli.main(["reset", "--yes", "--home", str(home.root)])
    return code, capsys.readouterr().out


def test_reset_deletes_everything_that_a_stack_created(deployed, public_folder, listing, capsys):
    assert _reset(deployed, capsys) == (0, f"Deleted {deployed.root}.\n")
    assert listing(public_folder) == {}


@pytest.mark.parametrize(
    "name",
    ["thesis.pdf", "secrets/mine.key", "data/thesis.pdf", "data/mine/thesis.pdf", "logs/mine.log", "diagnostics/notes",
     "bundle/defaults/notes.txt", "settings.env", ".git/config"],
)  # fmt: skip
def test_a_users_file_in_the_home_is_kept_and_named(deployed, listing, capsys, name):
    mine = deployed.root / name
    mine.parent.mkdir(parents=True, exist_ok=True)
    mine.write_text("three years of work")
    code, said = _reset(deployed, capsys)
    assert code == 0
    named = said.splitlines()[-1].strip()
    assert str(mine).startswith(named)
    assert mine.read_text() == "three years of work"
    files = {path for path, (_, content) in listing(deployed.root).items() if content is not None}
    assert files - {home_files.MARKER} == {name}
    assert not deployed.exists
    if (deployed.root / home_files.MARKER).exists():
        assert _reset(deployed, capsys)[1].startswith(f"There is no stack in {deployed.root}. Kept, ")
    with deployed.lock("up"):  # a new stack can be deployed there
        deployed.prepare()


@pytest.mark.parametrize("name", ["data", "logs", "run", "secrets", "diagnostics", "bundle", "data/postgres"])
def test_links_are_not_followed(deployed, outside, listing, capsys, name):
    before = listing(outside)
    shutil.rmtree(deployed.root / name)
    (deployed.root / name).symlink_to(outside)
    code, said = _reset(deployed, capsys)
    assert code == 0
    assert f"  {outside}, the target of the link {deployed.root / name}\n" in said
    assert listing(outside) == before


def test_links_inside_of_deleted_folders_are_not_followed(deployed, outside, listing, capsys):
    before = listing(outside)
    for inside in (deployed.run, deployed.data / "postgres"):
        (inside / "elsewhere").symlink_to(outside)
    assert _reset(deployed, capsys) == (0, f"Deleted {deployed.root}.\n")
    assert listing(outside) == before


def test_a_home_that_is_a_link_is_emptied_and_the_link_kept(deployed, tmp_path, capsys):
    link = tmp_path / "link"
    link.symlink_to(deployed.root)
    assert _reset(Home(link), capsys) == (0, f"Deleted {link}.\n")
    assert link.is_symlink()
    assert list(deployed.root.iterdir()) == []


@pytest.mark.parametrize("command", ["up", "bundle", "bundle load x.tar"])
def test_a_folder_with_files_of_others_does_not_become_a_home(outside, listing, capsys, command):
    before = listing(outside.parent)
    assert cli.main([*command.split(), "--home", str(outside)]) == 1
    said = capsys.readouterr().err
    assert (
        f"{outside} is not empty and is not the home of a stack: {outside}/backend.log, {outside}/chapter-1.tex, "
        in said
    )
    assert "--home" in said
    assert listing(outside.parent) == before


@pytest.mark.parametrize("state", [None, "{}", '{"format": 1, "ports": {}}', "["])
@pytest.mark.parametrize("command", ["down", "status", "logs", "doctor", "doctor --repair --bundle", "reset --yes"])
def test_no_command_changes_a_folder_that_is_not_a_home(outside, listing, capsys, command, state):
    if state is not None:
        (outside / "state.json").write_text(state)
    before = listing(outside.parent)
    cli.main([*command.split(), "--home", str(outside)])
    streams = capsys.readouterr()
    said = streams.out + streams.err
    assert (
        "There is no stack in" in said
        or "no stack in" in said
        or "not the home" in said
        or "Nothing was running" in said
    )
    assert "restore the file" not in said
    assert listing(outside.parent) == before


@pytest.mark.parametrize("root", ["/", "~", "."])
def test_root_user_home_and_working_folder_are_refused_as_homes(root):
    (problem,) = preflight.folder_problems(Home(postgres.Path(root)))
    assert "is not empty and is not the home of a stack" in problem
    with pytest.raises(PlumblineError, match="not empty"), Home(postgres.Path(root)).lock("up"):
        pytest.fail("held it")


@pytest.mark.parametrize("name", ["services/backend/backend/home", "docker/home", "plumbline"])
def test_folders_that_images_are_built_from_are_refused_as_homes(name, tmp_path):
    (tmp_path / "link").symlink_to(ROOT)
    for root in (ROOT / name, tmp_path / "link" / name):
        (problem,) = preflight.folder_problems(Home(root))
        assert "is inside the sources of the checkout" in problem
    assert Home(ROOT / ".plumbline").refusal() is None


def test_a_folder_with_prepared_files_can_become_a_home(home):
    home.secrets.mkdir(parents=True)
    (home.secrets / "token_secret").write_text("mine")
    (home.root / "settings.env").write_text("PLUMBLINE_WORKERS=1")
    with home.lock("up"):
        home.prepare()
    assert home.is_home


def test_a_home_without_a_marker_is_recognised_by_its_state(deployed, capsys):
    (deployed.root / home_files.MARKER).unlink()
    assert Home(deployed.root).exists
    with deployed.lock("up"):
        pass
    assert (deployed.root / home_files.MARKER).exists()
    (deployed.root / home_files.MARKER).unlink()
    (deployed.root / "state.json").write_text("half a")
    assert cli.main(["doctor", "--repair", "--home", str(deployed.root)]) == 1
    assert "The state file was restored from its copy." in capsys.readouterr().out
    assert json.loads((deployed.root / "state.json").read_text())["stack_id"] == "abc"


def test_an_interrupted_first_deployment_can_continue_or_be_deleted(home, public_folder, listing, capsys):
    home.prepare()
    with home.lock("up"):
        pass
    assert home.is_home
    assert _reset(home, capsys)[0] == 0
    assert listing(public_folder) == {}


def test_a_home_of_another_user_is_refused(home):
    if os.geteuid() != 0:
        pytest.skip("only root can make a folder of another user's")
    home.root.mkdir()
    os.chown(home.root, 65534, -1)
    (problem,) = preflight.folder_problems(home)
    assert f"{home.root} belongs to the user nobody: deploy as that user" in problem


def test_old_bundles_are_deleted_and_a_users_notes_kept(deployed, scripted):
    from plumbline import diagnose

    (deployed.diagnostics / "0-notes").mkdir()
    for _ in range(diagnose.MAX_BUNDLES + 2):
        diagnose.write_bundle(deployed, scripted, "caddy")
    found = sorted(path.name for path in deployed.diagnostics.iterdir())
    assert len(found) == diagnose.MAX_BUNDLES + 1
    assert found[0] == "0-notes"


def test_a_bundle_does_not_overwrite_other_files(home, tmp_path):
    from plumbline import bundle

    (tmp_path / "thesis.tar").write_text("three years of work")
    with pytest.raises(PlumblineError, match="exists and is not a bundle"):
        bundle.write(home, tmp_path / "thesis.tar")
    assert (tmp_path / "thesis.tar").read_text() == "three years of work"


def test_other_users_files_in_a_shared_folder_do_not_block_a_bundle(tmp_path):
    from plumbline import bundle

    os.mkfifo(tmp_path / ".plumbline-bundle-fifo")
    (tmp_path / ".plumbline-bundle-link").symlink_to("/etc")
    if os.geteuid() == 0:
        (tmp_path / ".plumbline-bundle-theirs").mkdir(mode=0o700)
        os.chown(tmp_path / ".plumbline-bundle-theirs", 65534, -1)
    before = set(tmp_path.iterdir())
    with bundle._scratch(tmp_path / "plumbline.tar"):
        pass
    assert set(tmp_path.iterdir()) == before


def test_a_private_folder_is_emptied_by_name(home, tmp_path, monkeypatch):
    place = tmp_path / "private"
    monkeypatch.setattr(postgres, "private_place", lambda _: place)
    assert postgres.remove_private_place(home.root) == []
    for name in ("postgres", "programs-1.0"):
        (place / name).mkdir(parents=True)
    (place / "notes").write_text("mine")
    assert postgres.remove_private_place(home.root) == [str(place / "notes")]
    (place / "notes").unlink()
    assert postgres.remove_private_place(home.root) == []
    assert not place.exists()


def test_a_failed_deletion_is_named_and_reset_can_be_repeated(deployed, capsys):
    closed = deployed.root / "data"
    if os.geteuid() == 0:
        deployed.root.parent.chmod(0o777)
        for path in (deployed.root, *deployed.root.rglob("*")):
            os.chown(path, 65534, -1)
        os.chown(closed, 0, -1)
    closed.chmod(0o555)
    with unprivileged():
        code = cli.main(["reset", "--yes", "--home", str(deployed.root)])
    said = capsys.readouterr().err
    assert code == 1
    assert f"{closed}/postgres cannot be deleted: Permission denied" in said
    assert deployed.exists
    closed.chmod(0o755)
    assert _reset(deployed, capsys)[0] == 0
    assert not deployed.root.exists()


def test_a_users_large_log_is_not_truncated(deployed, tmp_path, monkeypatch):
    monkeypatch.setattr(watch, "LOG_MAX_BYTES", 10)
    elsewhere = tmp_path / "elsewhere.log"
    mine = deployed.logs / "mine.log"
    for path in (elsewhere, mine):
        path.write_text("three years of work")
    (deployed.logs / "caddy.log").symlink_to(elsewhere)
    watch.rotate_logs(deployed.logs)
    assert elsewhere.read_text() == mine.read_text() == "three years of work"
    assert (deployed.logs / "backend.log").stat().st_size == 0


def test_diagnostics_contain_no_users_log(deployed, tmp_path):
    (tmp_path / "elsewhere.log").write_text("three years of work")
    (deployed.logs / "mine.log").write_text("three years of work")
    (deployed.logs / "caddy.log").symlink_to(tmp_path / "elsewhere.log")
    files = EmbeddedTarget(deployed).describe()
    assert files.keys() == {"logs/backend.log", "logs/migrate-backend.log", "logs/supervisord.log"}
