"""Commands in the pods of a fake cluster, connections to them, and a stack whose Postgres is elsewhere."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from plumbline import deploy
from plumbline.errors import PlumblineError, StepError
from plumbline.home import Home
from plumbline.targets.kubernetes import forwards
from plumbline.targets.kubernetes.target import KubernetesTarget
from plumbline.tests.targets.kubernetes.fake_cluster import FakeCluster

Target = Callable[[], KubernetesTarget]

pytestmark = pytest.mark.usefixtures("told")


def test_a_postgres_from_elsewhere_is_neither_started_nor_stopped(
    cluster: FakeCluster, home: Home, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    del cluster
    monkeypatch.setattr("plumbline.targets.kubernetes.rendering.Recipe.documents", _without_postgres(), raising=True)
    deploy.up(home, target(), "asked for")
    stack = target().stack()
    assert stack.component("postgres").detail == "external"
    assert stack.postgres.host == "postgres"
    with pytest.raises(StepError, match="cannot be stopped or started here"):
        target().stop("postgres")


def test_migrations_go_back_in_a_job_of_their_own(cluster: FakeCluster, home: Home, target: Target) -> None:
    deploy.up(home, target(), "asked for")
    target().migrate_back("data-processor", "0005_template_sources")
    job = cluster.state["resources"]["Job/migrate-back"]
    pod = job["spec"]["template"]["spec"]
    assert [one["args"] for one in pod["containers"]] == [["migrate", "--back-to", "0005_template_sources"]]
    assert pod["containers"][0]["image"].startswith("plumbline/data-processor:")
    assert "initContainers" not in pod
    usual = cluster.state["resources"]["Job/migrate"]["spec"]["template"]
    assert job["spec"]["template"]["metadata"]["labels"] == usual["metadata"]["labels"]  # as network policies demand


def test_programs_of_postgres_run_in_its_pod_with_its_own_secret(
    cluster: FakeCluster, home: Home, target: Target
) -> None:
    deploy.up(home, target(), "asked for")
    command = target().postgres_command("pg_dump", "--format=custom")
    (namespace,) = [one for one in cluster.calls()[-1] if one.startswith("--namespace=")]
    before = ["--context=docker-desktop", namespace, "exec", "--stdin", "postgres-0", "--container=postgres", "--"]
    assert command[1:9] == [*before, "bash"]
    where = ["/run/secrets/plumbline/postgres_password", "127.0.0.1", "5432", "app_db", "app_user"]
    assert command[-7:] == [*where, "pg_dump", "--format=custom"]
    container = cluster.workload("StatefulSet", "postgres")["spec"]["template"]["spec"]["containers"][0]
    assert "/run/secrets/plumbline" in {one["mountPath"] for one in container["volumeMounts"]}


def test_a_command_of_a_component_runs_in_one_of_its_pods(cluster: FakeCluster, home: Home, target: Target) -> None:
    deploy.up(home, target(), "asked for")
    assert target().execute("backend", "accounts", "list", stdin="a password").returncode == 0
    inside = ["exec", "--stdin", "backend-0", "--container=backend", "--", "/app/start", "accounts", "list"]
    assert cluster.calls()[-1][2:] == inside
    target().stop("backend")
    with pytest.raises(StepError, match="no pod of backend is ready"):
        target().execute("backend", "accounts", "list")


def test_programs_of_a_postgres_from_elsewhere_cannot_be_run(
    cluster: FakeCluster, home: Home, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    del cluster
    monkeypatch.setattr("plumbline.targets.kubernetes.rendering.Recipe.documents", _without_postgres(), raising=True)
    deploy.up(home, target(), "asked for")
    with pytest.raises(PlumblineError, match="Postgres is not part of this stack") as refused:
        target().postgres_command("pg_dump")
    assert "back it up where it runs" in str(refused.value.hint)


def _without_postgres() -> Callable[..., object]:
    from plumbline.targets.kubernetes.rendering import Recipe

    original = Recipe.documents

    def documents(self: Recipe, *, real_secrets: bool = True) -> object:
        found = original(self, real_secrets=real_secrets)
        return [one for one in found if one["kind"] != "StatefulSet"]

    return documents


def test_a_failing_forward_is_reported_in_the_words_of_kubectl(
    cluster: FakeCluster, home: Home, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "error: unable to forward port because pod is not running. Current status=Pending"
    cluster.change(forward_error=said)
    monkeypatch.setattr(forwards, "_PATIENCE_S", 3)
    with pytest.raises(StepError, match=f"the port-forward to front does not work after .*: {said}") as failed:
        deploy.up(home, target(), "asked for")
    log = home.logs / "forward-front.log"
    assert failed.value.hint == f"its log is {log}"
    assert said in log.read_text()
    assert target().log_tail("forward-front", 1) == [said]
    assert said in target().describe()["logs/forward-front.log"]
