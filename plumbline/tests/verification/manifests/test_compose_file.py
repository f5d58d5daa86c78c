"""Each rule about the Compose file, its settings and its images is noticed when it is broken."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from plumbline import ROOT
from plumbline.verification.manifests import compose, compose_file, compose_settings, images

Services = dict[str, dict[str, Any]]


def found(file: dict[str, Any]) -> list[str]:
    return list(compose_file.problems(file, ROOT))


def told() -> dict[str, dict[str, str]]:
    services = yaml.safe_load((ROOT / "docker/compose.yaml").read_text())["services"]
    return {name: compose.environment(service) for name, service in services.items()}


def test_the_file_is_as_it_has_to_be() -> None:
    assert found(compose.compose()) == []
    assert [*compose_settings.problems(told())] == []
    assert [*images.problems(compose.compose(), ROOT)] == []


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda s: s["redis"].update(cap_drop=[]), "redis: cap_drop is []"),
        (lambda s: s["caddy"].pop("read_only"), "caddy: read_only is None"),
        (lambda s: s["backend"].update(security_opt=[]), "backend: security_opt is []"),
        (lambda s: s["postgres"].update(restart="no"), "postgres: restart is 'no'"),
        (lambda s: s["migrate-backend"].update(restart="always"), "migrate-backend: restart is 'always'"),
        (lambda s: s["backend"].update(privileged=True), "backend: has the option privileged (True)"),
        (lambda s: s["backend"].update(user="0:0"), "backend: has the option user (0:0)"),
        (lambda s: s["redis"].update(volumes=["/:/host"]), "redis: has the option volumes"),
        (lambda s: s["redis"].update(pids_limit=-1), "redis: pids_limit is -1"),
        (lambda s: s["redis"].update(logging={"driver": "none"}), "redis: logging is {'driver': 'none'}"),
        (lambda s: s["redis"].update(memswap_limit="2g"), "redis: memswap_limit is 2g"),
        (lambda s: s["redis"].update(tmpfs=["/tmp"]), "redis: the tmpfs /tmp has no size"),
        (lambda s: s["redis"].update(image="plumbline/redis:latest"), "redis: image is 'plumbline/redis:latest'"),
        (lambda s: s["postgres"].pop("volumes"), "postgres: volumes is None"),
        (lambda s: s["postgres"].update(stop_grace_period="2s"), "postgres: stop_grace_period is '2s'"),
        (lambda s: s["redis"].update(ports=["6379:6379"]), "redis publishes 6379:6379"),
        (lambda s: s["caddy"].update(ports=["0.0.0.0:8080:8080"]), "caddy publishes 0.0.0.0"),
        (lambda s: s["redis"].update(networks=["inside", "front"]), "redis is in the networks"),
        (lambda s: s["backend"]["depends_on"].pop("migrate-data-processor"), "backend does not wait"),
        (lambda s: s["migrate-data-processor"].pop("depends_on"), "migrate-data-processor does not wait"),
        (lambda s: s["caddy"]["depends_on"].pop("log-sink"), "caddy does not wait until log-sink"),
        (lambda s: s["redis"].update(depends_on={"caddy": {"condition": "x"}}), "redis waits for caddy"),
        (lambda s: s["log-sink"]["healthcheck"].update(test=["CMD", "8004"]), "log-sink: its health check is CMD 8004"),
        (lambda s: s["redis"]["healthcheck"].update(interval="5m"), "redis: interval of its health check is 5m"),
        (lambda s: s["redis"]["healthcheck"].update(disable=True), "redis: disable of its health check is True"),
        (lambda s: s["redis"]["secrets"].append("token_secret"), "redis is given the secret token_secret"),
        (lambda s: s["caddy"]["environment"].update(PLUMBLINE_INTERNAL_SECRET_FILE="/x"), "caddy is told"),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_a_broken_rule_is_noticed(spoil: Callable[[Services], object], says: str) -> None:
    file = copy.deepcopy(compose.compose())
    spoil(file["services"])
    (problem,) = found(file)
    assert problem.startswith(says)


def test_a_network_that_leads_out_is_noticed() -> None:
    file = copy.deepcopy(compose.compose())
    file["networks"]["inside"] = {}
    assert found(file) == ["the network inside is not internal: containers can reach other networks"]


def test_a_secret_from_another_file_is_noticed() -> None:
    file = copy.deepcopy(compose.compose())
    file["secrets"]["token_secret"]["file"] = "/secrets/internal_secret"
    assert found(file) == [
        "the secret token_secret is the file /secrets/internal_secret; expected one called token_secret"
    ]


@pytest.mark.parametrize(
    ("name", "variables", "says"),
    [
        (
            "caddy",
            {"PLUMBLINE_BACKEND": "backend:8002"},
            "caddy is told PLUMBLINE_BACKEND=backend:8002; expected",
        ),
        ("backend", {"PLUMBLINE_WORKERS": "1"}, "backend is told PLUMBLINE_WORKERS=1; expected 2"),
        ("backend", {"PLUMBLINE_STACK_ID": "mine"}, "backend is told PLUMBLINE_STACK_ID=mine; expected ${"),
        ("redis", {"REDIS_PASSWORD": "x"}, "redis is told REDIS_PASSWORD=x; expected it not to be set"),
        ("log-sink", {"PLUMBLINE_LOG_LEVEL": "debug"}, "log-sink is told PLUMBLINE_LOG_LEVEL=debug; expected it not"),
    ],
)
def test_another_setting_is_noticed(name: str, variables: dict[str, str], says: str) -> None:
    environments = told()
    environments[name] |= variables
    (problem,) = compose_settings.problems(environments)
    assert problem.startswith(says)


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        ("redis/Dockerfile", "USER 999:999", "", "docker/redis/Dockerfile: its last USER is root"),
        ("service/Dockerfile", "PYTHONUNBUFFERED=1", "TOKEN_SECRET=x", "docker/service/Dockerfile: sets"),
        ("postgres/Dockerfile", "STOPSIGNAL SIGINT", "", "docker/postgres/Dockerfile: STOPSIGNAL is []"),
        ("postgres/start.sh", "umask 077", "umask 022", "docker/postgres/start.sh: does not set umask 077"),
        ("postgres/start.sh", "all  scram-sha-256", "all  trust", "docker/postgres/start.sh: postgres: pg_hba"),
        ("postgres/start.sh", "-c listen", "-c fsync=off -c listen", "docker/postgres/start.sh: starts Postgres"),
        ("postgres/start.sh", "--auth-local=peer", "--auth-local=trust", "docker/postgres/start.sh: initdb is"),
        ("redis/redis.conf", 'save ""', "save 60 1", "redis: save is 60 1"),
    ],
)  # fmt: skip
def test_another_image_is_noticed(tmp_path: Path, file: str, old: str, new: str, says: str) -> None:
    shutil.copytree(ROOT / "docker", tmp_path / "docker", ignore=shutil.ignore_patterns("secrets"))
    place = tmp_path / "docker" / file
    text = place.read_text()
    assert text.count(old) == 1
    place.write_text(text.replace(old, new))
    (problem,) = images.problems(compose.compose(), tmp_path)
    assert problem.startswith(says)


@pytest.mark.parametrize(
    ("image", "says"), [("postgres:17.2", "expected Postgres 16"), ("postgres:latest", "expected a version")]
)
def test_another_base_image_is_noticed(image: str, says: str) -> None:
    file = copy.deepcopy(compose.compose())
    file["services"]["postgres"]["build"]["args"]["POSTGRES_IMAGE"] = image
    assert any(says in problem for problem in images.problems(file, ROOT))
