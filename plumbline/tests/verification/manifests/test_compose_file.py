"""Each rule about the Compose file is noticed when it is broken."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from plumbline import ROOT
from plumbline.verification.manifests import compose, compose_file

PORTS = {"backend": "8001", "data-processor": "8002", "log-sink": "8003"}
Services = dict[str, dict[str, Any]]


def found(file: dict[str, Any]) -> list[str]:
    return list(compose_file.problems(file, ROOT, PORTS))


def test_the_file_is_as_it_has_to_be() -> None:
    assert found(compose.compose()) == []


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda s: s["redis"].update(cap_drop=[]), "redis: cap_drop is []"),
        (lambda s: s["caddy"].pop("read_only"), "caddy: read_only is None"),
        (lambda s: s["backend"].update(security_opt=[]), "backend: security_opt is []"),
        (lambda s: s["postgres"].update(restart="no"), "postgres: restart is 'no'"),
        (lambda s: s["migrate-backend"].update(restart="always"), "migrate-backend: restart is 'always'"),
        (lambda s: s["redis"].update(ports=["6379:6379"]), "redis publishes 6379:6379"),
        (lambda s: s["caddy"].update(ports=["0.0.0.0:8080:8080"]), "caddy publishes 0.0.0.0"),
        (lambda s: s["redis"].update(networks=["inside", "front"]), "redis is in the networks"),
        (lambda s: s["backend"]["depends_on"].pop("migrate-data-processor"), "backend does not wait"),
        (lambda s: s["migrate-data-processor"].pop("depends_on"), "migrate-data-processor does not wait"),
        (lambda s: s["caddy"]["depends_on"].pop("log-sink"), "caddy does not wait until log-sink"),
        (lambda s: s["log-sink"]["healthcheck"].update(test=["CMD", "8004"]), "log-sink: its health is asked"),
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
