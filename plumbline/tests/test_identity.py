"""Only the deployment that was meant passes; whatever else answers is named."""

from __future__ import annotations

import socket

import pytest

from plumbline import identity
from plumbline.components import HEALTH_PATHS
from plumbline.net import free_port

ID = "0123456789abcdef"


def _answers(**changes):
    """What a right stack answers, with `changes` to the answer of one service."""
    answers = {path: (200, {"service": name, "stack_id": ID}) for name, path in HEALTH_PATHS.items()}
    for name, answer in changes.items():
        answers[HEALTH_PATHS[name.replace("_", "-")]] = answer
    return answers


def test_the_right_stack_passes(web):
    assert identity.compare(web(_answers()), ID) == []


@pytest.mark.parametrize("service", list(HEALTH_PATHS))
def test_a_service_of_another_deployment_is_told_by_name(web, service):
    answer = (200, {"service": service, "stack_id": "stale"})
    (difference,) = identity.compare(web(_answers(**{service.replace("-", "_"): answer})), ID)
    assert service in difference
    assert "'stale'" in difference
    assert ID in difference


def test_another_service_at_the_address_is_told(web):
    (difference,) = identity.compare(web(_answers(backend=(200, {"service": "log-sink", "stack_id": ID}))), ID)
    assert "answered by 'log-sink', not by backend" in difference


def test_one_that_is_not_ready_says_why(web):
    answer = (503, {"service": "backend", "stack_id": ID, "reason": "the database is away"})
    assert identity.compare(web(_answers(backend=answer)), ID) == ["backend: the database is away"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((200, b"<html>hello</html>"), "not JSON"),
        ((200, b""), "not JSON"),
        ((200, b"\xff\xfe"), "not JSON"),
        ((200, []), "not a Plumbline service"),
        ((200, "ok"), "not a Plumbline service"),
        ((200, {}), "answered by None"),
        ((404, {}), "answers 404"),
        ((502, {"detail": "upstream is away"}), "upstream is away"),
        ((500, b"boom"), "answers 500"),
    ],
)
def test_anything_else_is_a_difference_and_no_crash(web, answer, said):
    (difference,) = identity.compare(web(_answers(data_processor=answer)), ID)
    assert said in difference


def test_nobody_there(web):
    differences = identity.compare(f"http://127.0.0.1:{free_port()}", ID)
    assert len(differences) == len(HEALTH_PATHS)
    assert all("does not answer" in difference for difference in differences)


def test_one_that_accepts_and_says_nothing(monkeypatch):
    monkeypatch.setattr(identity, "_TIMEOUT_S", 0.1)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        health = identity.health_of(f"http://127.0.0.1:{silent.getsockname()[1]}/health")
    assert "does not answer" in health.reason


def test_a_proxy_of_the_callers_shell_is_not_asked(web, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert identity.compare(web(_answers()), ID) == []
