"""Services of another deployment, and other answers, are differences."""

from __future__ import annotations

import socket

import pytest

from plumbline import identity
from plumbline.components import HEALTH_PATHS
from plumbline.net import free_port

ID = "0123456789abcdef"


def _answers(**changes):
    """Return the answers of a healthy stack, with `changes` by service."""
    answers = {path: (200, {"service": name, "stack_id": ID}) for name, path in HEALTH_PATHS.items()}
    for name, answer in changes.items():
        answers[HEALTH_PATHS[name.replace("_", "-")]] = answer
    return answers


def test_the_right_stack_has_no_differences(web):
    assert identity.compare(web(_answers()), ID) == []


@pytest.mark.parametrize("service", list(HEALTH_PATHS))
def test_a_service_of_another_deployment_is_named(web, service):
    answer = (200, {"service": service, "stack_id": "stale"})
    (difference,) = identity.compare(web(_answers(**{service.replace("-", "_"): answer})), ID)
    assert service in difference
    assert "'stale'" in difference
    assert ID in difference


def test_another_service_at_the_path_is_named(web):
    (difference,) = identity.compare(web(_answers(backend=(200, {"service": "log-sink", "stack_id": ID}))), ID)
    assert "answered by 'log-sink', not by backend" in difference


def test_a_service_that_is_not_ready_is_named_with_the_reason(web):
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
def test_other_answers_are_differences(web, answer, said):
    (difference,) = identity.compare(web(_answers(data_processor=answer)), ID)
    assert said in difference


def test_no_answer_is_a_difference(web):
    differences = identity.compare(f"http://127.0.0.1:{free_port()}", ID)
    assert len(differences) == len(HEALTH_PATHS)
    assert all("does not answer" in difference for difference in differences)


def test_one_that_is_ready_a_moment_later_is_asked_again(web, monkeypatch):
    front, asked = web(_answers()), []
    ask = identity.health_of

    def late(url, timeout_s):
        asked.append(url)
        return identity.Health(None, None, "the database is busy") if len(asked) == 1 else ask(url, timeout_s)

    monkeypatch.setattr(identity, "health_of", late)
    assert identity.compare(front, ID, 30) == []
    asked.clear()
    assert [one for one in identity.compare(front, ID) if "the database is busy" in one]


def test_a_timeout_is_a_reason(monkeypatch):
    monkeypatch.setattr(identity, "_TIMEOUT_S", 0.1)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        health = identity.health_of(f"http://127.0.0.1:{silent.getsockname()[1]}/health")
    assert "does not answer" in health.reason


def test_proxies_of_the_shell_are_not_used(web, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert identity.compare(web(_answers()), ID) == []
