"""The cluster is never guessed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from plumbline.home import Home
from plumbline.targets.kubernetes import contexts
from plumbline.targets.kubernetes.contexts import Choice
from plumbline.targets.kubernetes.target import KubernetesTarget
from plumbline.tests.targets.kubernetes.fake_cluster import FakeCluster


@pytest.mark.parametrize(
    ("context", "command"),
    [
        ("kind-dev", ["kind", "load", "docker-image", "--name=dev", "a", "b"]),
        ("k3d-one-two", ["k3d", "image", "import", "--cluster=one-two", "a", "b"]),
        ("minikube", ["minikube", "image", "load", "a", "b"]),
        ("docker-desktop", []),
        ("arn:aws:eks:production", None),
    ],
)
def test_how_images_get_to_a_cluster(context: str, command: list[str] | None) -> None:
    assert contexts.loader(context, ["a", "b"]) == command


def test_an_unknown_context_is_refused_without_asking_and_without_a_word_to_it(
    cluster: FakeCluster, target: Callable[[], KubernetesTarget]
) -> None:
    cluster.change(context="production-eu")
    (problem,) = target().problems()
    assert problem.startswith("context production-eu is not a known development cluster")
    assert cluster.calls() == [["config", "current-context"]]


def test_an_unknown_context_may_be_named() -> None:
    (problem,) = contexts.refused(Choice("production-eu"))
    assert "PLUMBLINE_KUBERNETES_CONTEXT=production-eu ./deploy-local.sh up --target kubernetes" in problem


def test_an_unknown_context_that_was_named_needs_a_registry_on_the_local_overlay() -> None:
    (problem,) = contexts.refused(Choice("production-eu", agreed=True))
    assert "name a registry in PLUMBLINE_REGISTRY" in problem
    told = Choice("production-eu", registry="registry.example.com/team", agreed=True)
    assert contexts.refused(told) == []
    assert contexts.refused(Choice("production-eu", "production", agreed=True)) == []


def test_a_known_context_is_shown_and_asked_about() -> None:
    asked: list[str] = []

    def answer(question: str) -> str:
        asked.append(question)
        return "yes" if len(asked) == 1 else ""

    assert contexts.unconfirmed(Choice("docker-desktop"), "plumbline-1", answer) == []
    assert contexts.unconfirmed(Choice("docker-desktop"), "plumbline-1", answer) == [
        "you did not confirm context docker-desktop"
    ]
    assert "overlay local to context docker-desktop, namespace plumbline-1" in asked[0]


def test_without_a_terminal_the_context_is_not_confirmed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    (problem,) = contexts.unconfirmed(Choice("docker-desktop"), "plumbline-1")
    assert problem.startswith("no terminal to confirm context docker-desktop: run PLUMBLINE_KUBERNETES_CONTEXT=")


def test_a_missing_loader_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    (problem,) = contexts.refused(Choice("kind-dev"))
    assert problem.startswith("kind, which loads images into kind-dev, is not on the PATH")


def test_a_deployed_stack_keeps_its_context(cluster: FakeCluster, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    assert contexts.wanted(home) == Choice("kind-test")
    home.prepare()
    Choice("kind-test", agreed=True).save(home)
    cluster.change(context="production-eu")
    assert contexts.wanted(home) == Choice("kind-test", agreed=True)
    monkeypatch.setenv("PLUMBLINE_KUBERNETES_CONTEXT", "kind-other")
    assert contexts.wanted(home) == Choice("kind-other", agreed=True)
