"""A stack of containers from the first `up` to `reset`, and reports of problems."""

from __future__ import annotations

import io
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
import requests

from plumbline import ROOT, deploy, identity, users
from plumbline.components import COMPONENTS
from plumbline.errors import PlumblineError, StepError
from plumbline.home import Home
from plumbline.targets.compose import containers, engine, project
from plumbline.targets.compose.target import ComposeTarget

pytestmark = pytest.mark.engine


def starts(target: ComposeTarget) -> dict[str, tuple[str, str]]:
    """Return which container each service has, and since when it runs: the engine's own health check may lag behind."""
    return {name: (one.id, one.started_at) for name, one in containers.all_of(target.project).items()}


def test_a_second_up_changes_nothing(running: ComposeTarget, capsys: pytest.CaptureFixture[str]) -> None:
    before = starts(running)
    again = ComposeTarget(running.home)
    deploy.up(running.home, again, "again")
    assert "nothing changed" in capsys.readouterr().out
    assert starts(running) == before


def test_an_interrupted_deployment_is_finished_without_starting_over(running: ComposeTarget) -> None:
    before = starts(running)
    running.begin()
    again = ComposeTarget(running.home)
    assert not again.unchanged()
    deploy.up(running.home, again, "again")
    after = starts(running)
    for name in ("postgres", "redis", "log-sink", "backend", "caddy"):
        assert after[name] == before[name]


def test_a_setting_recreates_only_the_containers_that_read_it(running: ComposeTarget) -> None:
    before, identity_before = starts(running), running.stack().stack_id
    running.home.settings.write_text("PLUMBLINE_SESSION_TTL_S=3600\nPLUMBLINE_FRONT_HOST=127.0.0.2\n")
    moved = ComposeTarget(running.home)
    deploy.up(running.home, moved, "with settings")
    after = starts(moved)
    assert {name for name in COMPONENTS if after[name] != before[name]} == {"backend", "caddy"}
    stack = moved.stack()
    assert stack.stack_id == identity_before
    assert stack.base_url.startswith("http://127.0.0.2:"), "the front door was not moved"
    assert stack.settings == (
        "PLUMBLINE_SESSION_TTL_S=3600 (default 43200)",
        "PLUMBLINE_FRONT_HOST=127.0.0.2 (default 127.0.0.1)",
    )
    assert ComposeTarget(running.home).unchanged()
    running.home.settings.write_text("")
    deploy.up(running.home, ComposeTarget(running.home), "without settings")
    running.__init__(running.home)  # type: ignore[misc]  # what others go on with has to know what was deployed


def test_a_killed_component_is_started_again(running: ComposeTarget) -> None:
    before = containers.one_of(running.project, "backend")
    running.kill("backend")
    deadline = time.monotonic() + 60
    while (now := containers.one_of(running.project, "backend")).restarts == before.restarts or now.status != "running":
        assert time.monotonic() < deadline, f"backend is {now.status}"
        time.sleep(0.1)
    containers.wait_ready(running.project, "backend")
    assert identity.compare(running.stack().base_url, running.stack().stack_id) == []


def test_what_was_paused_stopped_or_removed_runs_after_another_up(running: ComposeTarget) -> None:
    found = containers.all_of(running.project)
    engine.output("pause", found["backend"].id, found["postgres"].id)
    engine.output("kill", found["data-processor"].id)
    engine.output("rm", "--force", found["redis"].id)
    states = {name: running.component(name).state for name in ("postgres", "redis", "log-sink", "backend")}
    assert states == {"postgres": "stopped", "redis": "stopped", "log-sink": "running", "backend": "stopped"}
    again = ComposeTarget(running.home)
    deploy.up(running.home, again, "again")
    assert again.stack().running
    assert containers.one_of(running.project, "postgres").started_at == found["postgres"].started_at


def test_a_changed_image_is_built_again(running: ComposeTarget) -> None:
    name = f"plumbline/backend:{running.project.tag}"
    ours = containers.one_of(running.project, "backend").image
    engine.output("image", "tag", containers.one_of(running.project, "caddy").image, name)
    running.run("images")
    assert engine.output("image", "inspect", "--format", "{{.Id}}", name).strip() == ours


@pytest.mark.parametrize("step", ["images", "migrate-backend"])
def test_a_first_deployment_that_is_killed_is_finished_by_the_next(home: Home, step: str) -> None:
    arguments = [sys.executable, "-m", "plumbline", "up", "--target", "compose", "--home", str(home.root)]
    with subprocess.Popen([*arguments, "--port", "0"], cwd=ROOT, stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout is not None
        # Once a step has been said to be done, the next one is under way.
        assert any(f" {step} " in line for line in iter(killed.stdout.readline, ""))
        killed.kill()
    assert home.load().phase == "deploying"
    target = ComposeTarget(home)
    deploy.up(home, target, "again")
    assert target.stack().running


def test_an_edited_file_that_publishes_postgres_is_refused_as_compose_reads_it(
    home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    copy = shutil.copytree(project.CHECKOUT, tmp_path / "docker")
    text = (copy / "compose.yaml").read_text()
    edited = text.replace("    shm_size: 128m", '    shm_size: 128m\n    ports: ["5432:5432"]')
    assert edited != text
    (copy / "compose.yaml").write_text(edited)
    monkeypatch.setattr(project, "CHECKOUT", copy)
    (problem,) = ComposeTarget(home, 0).problems()
    assert problem.startswith("the compose file publishes port 5432 of postgres: ")


def test_a_file_that_compose_cannot_read_is_named_with_the_way_out(
    home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(project, "CHECKOUT", tmp_path)
    file = tmp_path / "compose.yaml"
    (absent,) = ComposeTarget(home, 0).problems()
    file.write_text("services: [")
    (broken,) = ComposeTarget(home, 0).problems()
    for problem in (absent, broken):
        assert problem.startswith(f"{file} cannot be used, restore it (git checkout docker/compose.yaml): ")


def test_a_renewed_password_needs_nothing_but_another_up(running: ComposeTarget) -> None:
    secret = running.home.secrets / "postgres_password"
    secret.unlink()
    secret.write_text("a-new-password-with-'quotes'\n")
    running.down()
    again = ComposeTarget(running.home)
    deploy.up(running.home, again, "again")
    assert again.stack().running


def test_accounts_are_administered_in_the_backends_container(
    running: ComposeTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert users.run(running, "promote", "operator") == "operator is an operator already"
    with pytest.raises(PlumblineError, match="operator is the last operator"):
        users.run(running, "disable", "operator")

    def log_in() -> int:
        form = {"username": "ada", "password": password}
        return requests.post(f"{running.stack().base_url}/auth/login", data=form, timeout=30).status_code

    password = "five good words of mine"
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{password}\n"))
    users.run(running, "create", "ada", display_name="Ada")
    assert log_in() == 200
    users.run(running, "disable", "ada")
    assert log_in() == 403
    users.run(running, "delete", "ada")
    assert log_in() == 401
    assert "ada" not in users.run(running, "list", None)


def test_a_replaced_secret_is_taken_over_by_the_next_up_and_no_data_are_lost(
    running: ComposeTarget, capsys: pytest.CaptureFixture[str]
) -> None:
    before = starts(running)
    (running.home.secrets / "postgres_password").unlink()
    (running.home.secrets / "postgres_password").write_bytes(b"\xef\xbb\xbfanother password\r\n")
    target = ComposeTarget(running.home)
    deploy.up(running.home, target, "with another password")
    assert "postgres_password was replaced" in " ".join(capsys.readouterr().out.split())  # lines are wrapped
    after = starts(target)
    assert {name for name in COMPONENTS if after[name] != before[name]} == {
        "postgres", "backend", "data-processor", "worker"
    }  # fmt: skip
    with psycopg.connect(**target.stack().postgres.parameters()) as connection:
        assert connection.execute("SELECT count(*) FROM users WHERE username = 'operator'").fetchone() == (1,)
    assert ComposeTarget(running.home).unchanged()
    running.__init__(running.home)  # type: ignore[misc]


def test_down_leaves_the_volume_and_nothing_else(running: ComposeTarget) -> None:
    mine = running.project
    assert running.down() == [*COMPONENTS]
    assert (mine.labelled("container"), mine.labelled("network")) == ([], [])
    assert len(mine.labelled("volume")) == 1
    assert {one.state for one in running.stack().components} == {"stopped"}
    deploy.up(running.home, running, "again")


def test_a_container_that_ends_is_not_waited_for(
    home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = {"services": {"backend": {"environment": {"PLUMBLINE_WORKERS": "banana"}}}}
    monkeypatch.setattr(project.Project, "additions", lambda _: json.dumps(wrong))
    monkeypatch.setattr(containers, "READY_PATIENCE_S", 10_000)  # a wait that did not end at once would not end at all
    with pytest.raises(StepError) as failure:
        deploy.up(home, ComposeTarget(home, 0), "a test")
    assert failure.value.exit_code == 78
    said = capsys.readouterr().err
    assert "Step 9 (services) failed, exit code 78" in said
    assert "PLUMBLINE_WORKERS" in said, "the container's own last words are missing"


def test_a_base_image_that_cannot_be_had_stops_before_anything_starts(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLUMBLINE_PYTHON_IMAGE", "registry.invalid/python:none")
    target = ComposeTarget(home, 0)
    with pytest.raises(StepError, match="could not be built") as failure:
        deploy.up(home, target, "a test")
    assert failure.value.component == "images"
    assert "docker/offline/build.sh" in str(failure.value.hint)
    assert target.project.labelled("container") == []


def postgres_alone(home: Home, running: ComposeTarget) -> ComposeTarget:
    """Return a target with secrets whose Postgres can be started: with the image that is there already."""
    target = ComposeTarget(home, 0)
    target.begin()
    image = containers.one_of(running.project, "postgres").image
    engine.output("image", "tag", image, f"plumbline/postgres:{target.project.tag}")
    target.run("secrets")
    return target


def test_postgres_refuses_a_secret_that_was_emptied_after_the_check(home: Home, running: ComposeTarget) -> None:
    target = postgres_alone(home, running)
    secret = home.secrets / "postgres_password"
    secret.chmod(0o644)
    secret.write_text("\n")
    with pytest.raises(StepError) as failure:
        target.run("postgres")
    assert failure.value.exit_code == 78
    assert "is empty: delete it" in "\n".join(target.log_tail("postgres", 5))


def test_a_port_that_was_taken_after_the_check_comes_with_a_way_out(running: ComposeTarget) -> None:
    running.stop("caddy")
    port = int(running.stack().base_url.rpartition(":")[2])
    with socket.create_server(("127.0.0.1", port)), pytest.raises(StepError, match=str(port)) as failure:
        running.run("caddy")
    assert "--port" in str(failure.value.hint)
    running.run("caddy")
    assert identity.compare(running.stack().base_url, running.stack().stack_id) == []


def test_a_volume_of_another_major_is_refused_twice(home: Home, running: ComposeTarget) -> None:
    target = postgres_alone(home, running)
    target.run("postgres")
    container = containers.one_of(target.project, "postgres")
    engine.output("exec", container.id, "sh", "-c", 'echo 15 >"$PGDATA/PG_VERSION"')
    target.stop("postgres")
    assert any("written by Postgres 15" in problem and "pg_dump" in problem for problem in target.problems())
    with pytest.raises(StepError) as failure:
        target.run("postgres")
    assert failure.value.exit_code == 78
    assert "written by Postgres 15" in "\n".join(target.log_tail("postgres", 5))


def test_a_taken_port_is_named_with_its_holder(home: Home) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert any(f"port {port} is taken by" in problem for problem in ComposeTarget(home, port).problems())


def test_an_empty_secret_is_refused_and_a_line_end_is_not(home: Home) -> None:
    home.prepare()
    (home.secrets / "postgres_password").write_text("")
    (home.secrets / "token_secret").write_text("long-enough-for-a-secret\n")
    problems = ComposeTarget(home, 0).problems()
    (problem,) = [problem for problem in problems if "secret file" in problem]
    assert problem.startswith(f"secret file {home.secrets / 'postgres_password'} is empty. ")
    assert problem.endswith("or delete the file to generate a new secret")


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder with a Compose project of the user's own, which cannot even be read."""
    for name in ("compose.yaml", ".env"):
        (tmp_path / name).write_text("services: [")
    return tmp_path


def test_a_command_given_in_any_folder_and_shell_finds_its_stack(running: ComposeTarget, elsewhere: Path) -> None:
    shell = {
        "COMPOSE_FILE": "nowhere.yaml", "COMPOSE_PROFILES": "none", "COMPOSE_PROJECT_NAME": "other",
        "COMPOSE_ENV_FILES": "nowhere.env", "DOCKER_DEFAULT_PLATFORM": "linux/none", "BUILDX_BUILDER": "none",
        "PGSSLMODE": "require", "PGHOSTADDR": "127.0.0.9",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-I", str(ROOT / "plumbline" / "__main__.py"), "up", "--home", str(running.home.root)],
        env={**os.environ, **shell}, cwd=elsewhere, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "nothing changed" in done.stdout
