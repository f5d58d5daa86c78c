"""What images are built from, and what their start scripts set: no root, no secret, fixed versions, safe stores."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from servicekit.facts import POSTGRES_MAJOR

from plumbline.verification.checks import postgres, redis_server

_USERS = {"service": "10001:10001", "caddy": "10001:10001", "redis": "999:999", "postgres": "postgres"}
_STOP_SIGNALS = {"postgres": "SIGINT"}
_SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|CREDENTIAL|API_?KEY", re.IGNORECASE)
_VERSION = re.compile(r"^[\w./-]+:\d[\w.-]*$")
_START = "docker/postgres/start.sh"
_STARTED_WITH = {
    "listen_addresses": "*",
    "unix_socket_directories": "/var/run/postgresql",
    "log_line_prefix": "%m [%p] %q%a ",
    "log_min_duration_statement": "1s",
    "idle_in_transaction_session_timeout": "60s",
}
_INITDB = (
    "--auth-host=scram-sha-256",
    "--auth-local=peer",
    "--set password_encryption=scram-sha-256",
    "--encoding=UTF8",
)


def problems(file: Mapping[str, Any], root: Path) -> Iterator[str]:
    """Yield what is wrong with Dockerfiles, base images in the Compose `file`, and the start scripts below `root`."""
    yield from _base_images(file)
    for name, user in _USERS.items():
        yield from _dockerfile(name, user, (root / f"docker/{name}/Dockerfile").read_text())
    yield from _postgres((root / _START).read_text())
    yield from redis_server.directives((root / "docker/redis/redis.conf").read_text().splitlines())


def _base_images(file: Mapping[str, Any]) -> Iterator[str]:
    for name, service in file["services"].items():
        for argument, image in service.get("build", {}).get("args", {}).items():
            if not argument.endswith("_IMAGE"):
                continue
            if not _VERSION.match(image):
                yield f"{name} is built from {image}; expected a version, so that a build can be repeated"
            if argument == "POSTGRES_IMAGE" and not re.search(rf":{POSTGRES_MAJOR}\b", image):
                yield f"{name} is built from {image}; expected Postgres {POSTGRES_MAJOR}"


def _dockerfile(name: str, user: str, text: str) -> Iterator[str]:
    where = f"docker/{name}/Dockerfile"
    found = re.findall(r"^USER (\S+)$", text, re.MULTILINE)
    if found[-1:] != [user]:
        yield f"{where}: its last USER is {found[-1] if found else 'root'}; expected {user}"
    signal = re.findall(r"^STOPSIGNAL (\S+)$", text, re.MULTILINE)
    if signal != ([_STOP_SIGNALS[name]] if name in _STOP_SIGNALS else []):
        yield f"{where}: STOPSIGNAL is {signal}; expected {_STOP_SIGNALS.get(name, 'none')}"
    for line in re.findall(r"^(?:ENV|ARG) (.+)$", text, re.MULTILINE):
        for name_of_one in re.findall(r"(\w+)(?==|$)", line):
            if _SECRET.search(name_of_one):
                yield f"{where}: sets {name_of_one}, which everyone who has the image can read; expected a secret file"


def _postgres(text: str) -> Iterator[str]:
    rules = re.search(r"<<HBA\n(.*?)\nHBA\n", text, re.DOTALL)
    for finding in postgres.authentication(rules[1].splitlines() if rules else ["no rules"], from_network=True):
        yield f"{_START}: {finding}"
    if not re.search(r"^umask 077$", text, re.MULTILINE):
        yield f"{_START}: does not set umask 077, so others could read the data"
    joined = text.replace("\\\n", " ")
    initdb = next((line for line in joined.splitlines() if line.strip().startswith("initdb ")), "")
    for option in _INITDB:
        if option not in initdb:
            yield f"{_START}: initdb is not given {option}"
    started = next((line for line in joined.splitlines() if line.startswith("exec postgres ")), "")
    words = shlex.split(started)
    settings = dict(word.split("=", 1) for before, word in pairwise(words) if before == "-c")
    for name in sorted(settings.keys() | _STARTED_WITH.keys()):
        if settings.get(name) != _STARTED_WITH.get(name):
            yield f"{_START}: starts Postgres with {name}={settings.get(name)}; expected {_STARTED_WITH.get(name)}"
