"""No secret value is anywhere but in its file and in the memory of who needs it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import pytest

from plumbline import diagnose, secret_files
from plumbline.targets.compose import containers, engine
from plumbline.targets.compose.target import ComposeTarget

pytestmark = pytest.mark.engine

# Of every process in a container: what it was started with.
PROCESSES = 'for one in /proc/[0-9]*; do cat "$one/environ" "$one/cmdline" 2>/dev/null; done; true'


def values(target: ComposeTarget) -> dict[str, bytes]:
    return {name: (target.home.secrets / name).read_bytes().strip() for name in secret_files.SECRETS}


def leaks(secrets: dict[str, bytes], text: bytes) -> list[str]:
    return [name for name, value in secrets.items() if value in text]


def places(target: ComposeTarget) -> Iterator[tuple[str, bytes]]:
    found = containers.all_of(target.project)
    yield "docker inspect", json.dumps(engine.inspect([one.id for one in found.values()])).encode()
    yield "the resolved configuration", json.dumps(target.project.resolved()).encode()
    for name, container in found.items():
        yield f"log of {name}", "\n".join(containers.log_tail(container, 100_000)).encode()
        yield f"history of {name}'s image", engine.output("image", "history", "--no-trunc", container.image).encode()
        yield f"configuration of {name}'s image", engine.output("image", "inspect", container.image).encode()
        if container.status == "running":
            # All of them run under the account of the container.
            yield (
                f"processes of {name}",
                engine.output("exec", container.id, "sh", "-c", PROCESSES).encode(),
            )
    for log in target.home.logs.iterdir():
        yield str(log), log.read_bytes()


def test_no_secret_is_in_an_environment_a_command_line_a_log_or_an_image(running: ComposeTarget) -> None:
    secrets = values(running)
    seen = {place: leaks(secrets, text) for place, text in places(running)}
    assert {f"processes of {name}" for name in ("postgres", "backend", "caddy", "redis")} <= seen.keys()
    assert {place: names for place, names in seen.items() if names} == {}


def test_the_processes_are_really_read(running: ComposeTarget) -> None:
    text = dict(places(running))
    assert b"PLUMBLINE_POSTGRES_PASSWORD_FILE=/run/secrets/postgres_password" in text["processes of postgres"]
    assert b"PLUMBLINE_STACK_ID=" in text["processes of backend"]
    assert leaks({"planted": b"/run/secrets/token_secret"}, text["processes of backend"]) == ["planted"]


def test_no_secret_is_in_an_image_layer(running: ComposeTarget) -> None:
    images = sorted({one.image for one in containers.all_of(running.project).values()})
    secrets = values(running)
    # Something that is in a layer for sure shows that layers are read as they are, and not compressed.
    sought = {**secrets, "the Caddyfile": b"The one Caddyfile of every target."}
    longest = max(map(len, sought.values()))
    found: set[str] = set()
    with subprocess.Popen(["docker", "save", *images], stdout=subprocess.PIPE) as saving:
        assert saving.stdout is not None
        end = b""
        while chunk := saving.stdout.read(1 << 22):
            found.update(leaks(sought, end + chunk))
            end = chunk[-longest:]
    assert saving.returncode == 0
    assert found == {"the Caddyfile"}


def test_a_diagnostics_bundle_holds_no_secret(running: ComposeTarget) -> None:
    folder = diagnose.write_bundle(running.home, running, "test")
    texts = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert {"compose-ps.txt", "compose-config.yaml", "inspect.json", "backend.log", "postgres.log"} <= texts.keys()
    assert b"postgres_password" in texts["compose-config.yaml"]
    assert leaks(values(running), b"".join(texts.values())) == []


def test_only_the_folder_keeps_the_secrets_and_it_is_closed(running: ComposeTarget) -> None:
    assert running.home.secrets.stat().st_mode & 0o777 == 0o700
    running.home.secrets.chmod(0o755)
    try:
        assert any("chmod 700" in problem for problem in running.problems())
    finally:
        running.home.secrets.chmod(0o700)
