"""Secret values are only in their files and in the memory of the programs that need them."""

from __future__ import annotations

import gzip
import json
import subprocess
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from io import BufferedReader
from pathlib import Path
from typing import IO, cast

import pytest
import requests
from servicekit import facts

from plumbline import ROOT, diagnose, identity, secret_files
from plumbline.targets.compose import containers, engine
from plumbline.targets.compose.target import ComposeTarget
from plumbline.verification.throwaway import wait_until

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
    yield "the recorder", recorded(target)


def recorded(target: ComposeTarget) -> bytes:
    redis = containers.one_of(target.project, "redis")
    asked = f'REDISCLI_AUTH=$(cat "$PLUMBLINE_REDIS_PASSWORD_FILE") redis-cli XRANGE {facts.LOG_STREAM} - +'
    return engine.output("exec", redis.id, "sh", "-c", asked).encode()


def in_layers(images: Iterable[str], sought: Mapping[str, bytes]) -> set[str]:
    """Return the names of those values that are in a layer, or anything else that the engine saves of these images."""
    found: set[str] = set()
    with subprocess.Popen(["docker", "save", *images], stdout=subprocess.PIPE) as saving:
        assert saving.stdout is not None
        with tarfile.open(fileobj=saving.stdout, mode="r|") as saved:
            for member in saved:
                content = cast(BufferedReader, saved.extractfile(member) if member.isfile() else None)
                if content is not None:
                    found |= in_stream(content, sought)
    assert saving.returncode == 0
    return found


def in_stream(content: BufferedReader, sought: Mapping[str, bytes]) -> set[str]:
    # Some engines keep layers as they are, some compressed.
    stream: IO[bytes] = gzip.GzipFile(fileobj=content) if content.peek(2)[:2] == b"\x1f\x8b" else content
    longest = max(map(len, sought.values()))
    found: set[str] = set()
    end = b""
    while chunk := stream.read(1 << 22):
        found.update(leaks(dict(sought), end + chunk))
        end = (end + chunk)[-longest:]
    return found


def stir_up(target: ComposeTarget) -> None:
    """Let every secret be used, rightly and wrongly, and everything that logs have something to complain about."""
    front = target.stack().base_url
    password = (target.home.secrets / "operator_password").read_text()
    for name, status in (("operator", 200), ("nobody", 401)):
        login = {"username": name, "password": password}
        assert requests.post(f"{front}/auth/login", data=login, timeout=10).status_code == status
    # A password in a document that is refused: what is refused is often quoted.
    broken = requests.post(f"{front}/auth/register", json={"username": "x", "password": [password]}, timeout=10)
    assert broken.status_code == 422
    assert password not in broken.text
    for component in ("redis", "postgres"):
        target.stop(component)
        for path in ("/health", "/data-processor/health", "/logs/entries"):
            requests.get(front + path, timeout=10)
        target.start(component)
    wait_until(lambda: identity.compare(front, target.stack().stack_id) == [], "the stack is itself again")
    wait_until(lambda: b'"level":"error"' in recorded(target), "the recorder has heard of it")


def test_no_secret_is_in_an_environment_a_command_line_a_log_or_an_image(running: ComposeTarget) -> None:
    secrets = values(running)
    stir_up(running)
    seen = {place: leaks(secrets, text) for place, text in places(running)}
    assert {f"processes of {name}" for name in ("postgres", "backend", "caddy", "redis")} <= seen.keys()
    assert {place: names for place, names in seen.items() if names} == {}


PLANTED = b"a-value-that-is-nowhere-else"


class Leaky:
    """A container that passes for one of the stack's, into which a test plants a value; gone afterwards."""

    def __init__(self, target: ComposeTarget, secret: Path) -> None:
        self._image = containers.one_of(target.project, "redis").image
        self._labels = [
            f"--label=com.docker.compose.project={target.project.name}", "--label=com.docker.compose.service=leaky"
        ]  # fmt: skip
        self._secret = secret
        self._leaky = ""
        self._images: list[str] = []

    def run(self, *options: str, script: str = "", image: str = "") -> str:
        """Start it, with the value in /planted; return its id."""
        self._leaky = engine.output(
            "run", "--detach", "--init", *self._labels, "--volume", f"{self._secret}:/planted:ro", *options,
            "--entrypoint", "sh", image or self._image, "-c", f"{script}\nexec sleep 600",
        ).strip()  # fmt: skip
        return self._leaky

    def commit(self, *options: str) -> str:
        """Make an image of it, which is gone afterwards, too; return its id."""
        self._images.append(engine.output("commit", *options, self._leaky).strip())
        return self._images[-1]

    def remove(self) -> None:
        engine.output("rm", "--force", self._leaky)
        for image in self._images:
            engine.output("image", "rm", image)


@pytest.fixture
def leaky(running: ComposeTarget, tmp_path: Path) -> Iterator[Leaky]:
    (tmp_path / "planted").write_bytes(PLANTED + b"\n")
    one = Leaky(running, tmp_path / "planted")
    try:
        yield one
    finally:
        one.remove()


def in_the_configuration(leaky: Leaky) -> None:
    leaky.run("--env", f"PASSWORD={PLANTED.decode()}")


def in_an_environment(leaky: Leaky) -> None:
    # Not of the container, which `docker inspect` would show, but of one of its processes.
    engine.output("exec", "--detach", "--env", f"PASSWORD={PLANTED.decode()}", leaky.run(), "sleep", "600")


def in_a_command_line(leaky: Leaky) -> None:
    engine.output("exec", "--detach", leaky.run(), "sh", "-c", f"sleep 600; : {PLANTED.decode()}")


def in_a_log(leaky: Leaky) -> None:
    leaky.run(script="cat /planted >&2")


def in_an_image(leaky: Leaky) -> None:
    leaky.run()
    image = leaky.commit("--change", f"LABEL password={PLANTED.decode()}")
    engine.output("rm", "--force", leaky._leaky)
    leaky.run(image=image)


@pytest.mark.parametrize(
    ("plant", "place"),
    [
        (in_the_configuration, "docker inspect"),
        (in_an_environment, "processes of leaky"),
        (in_a_command_line, "processes of leaky"),
        (in_a_log, "log of leaky"),
        (in_an_image, "configuration of leaky's image"),
    ],
)
def test_a_leak_would_be_seen(running: ComposeTarget, leaky: Leaky, plant: Callable[[Leaky], None], place: str) -> None:
    plant(leaky)
    wait_until(lambda: leaks({"planted": PLANTED}, dict(places(running))[place]) == ["planted"], f"a leak in {place}")


def test_a_leak_in_a_layer_would_be_seen(leaky: Leaky) -> None:
    leaky.run(script="cat /planted >/tmp/left-behind; touch /tmp/done")
    wait_until(lambda: engine.docker("exec", leaky._leaky, "test", "-e", "/tmp/done").returncode == 0, "a leak")
    assert in_layers([leaky.commit()], {"planted": PLANTED}) == {"planted"}


def test_no_secret_is_in_an_image_layer(running: ComposeTarget) -> None:
    images = sorted({one.image for one in containers.all_of(running.project).values()})
    # Something that is in a layer for sure shows that layers are read as they are, and not compressed.
    first_line = (ROOT / "docker" / "caddy" / "Caddyfile").read_bytes().partition(b"\n")[0]
    sought = {**values(running), "the Caddyfile": first_line}
    assert in_layers(images, sought) == {"the Caddyfile"}


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
