"""Deployments to a fake cluster."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest

from plumbline import baseline, deploy, fingerprint, secret_files
from plumbline.components import COMPONENTS
from plumbline.errors import PlumblineError, StepError
from plumbline.home import Home
from plumbline.plan import ON_BASELINE
from plumbline.secret_files import SECRETS
from plumbline.settings.resolve import NONE, Setting, Wanted
from plumbline.targets.compose import images
from plumbline.targets.kubernetes import contexts, kubectl, rendering
from plumbline.targets.kubernetes.model import COMPONENT, Manifests
from plumbline.targets.kubernetes.target import KubernetesTarget
from plumbline.tests.targets.kubernetes.fake_cluster import NODE, FakeCluster, node

Target = Callable[[], KubernetesTarget]


pytestmark = pytest.mark.usefixtures("told")

SYSTEM = {
    "kind": "Pod",
    "metadata": {"name": "etcd", "namespace": "kube-system", "labels": {COMPONENT: "etcd"}},
    "spec": {"nodeName": NODE, "containers": [{"name": "etcd", "resources": {"requests": {"cpu": "950m"}}}]},
    "status": {"phase": "Running"},
}
"""A pod of the control plane."""


def states(target: KubernetesTarget) -> dict[str, str]:
    return {one.name: one.state for one in target.stack().components}


def test_a_deployment_goes_in_the_plans_order_and_leaves_a_stack_that_answers(
    cluster: FakeCluster, home: Home, target: Target, capsys: pytest.CaptureFixture[str]
) -> None:
    deploy.up(home, target(), "asked for")

    applied = cluster.state["applied"]
    wanted = ["Namespace", "NetworkPolicy/default-deny", "StatefulSet/postgres", "Deployment/redis",
              "Deployment/log-sink", "Job/migrate", "Deployment/backend", "Deployment/data-processor",
              "Deployment/caddy"]  # fmt: skip
    places = [next(i for i, one in enumerate(applied) if one.startswith(name)) for name in wanted]
    assert places == sorted(places)
    stack = target().stack()
    assert stack.running
    assert stack.phase == "ready"
    assert {one.name for one in stack.components} == set(COMPONENTS)
    looked = [call for call in cluster.calls() if "--namespace=kube-system" in call]
    assert [call[2:4] for call in looked] == [["get", "configmaps"]]
    calls = [call for call in cluster.calls() if call not in looked]
    namespaces = {one for call in calls for one in call if one.startswith("--namespace=")}
    named = {one for call in cluster.calls() for one in call if one.startswith("--context=")}
    assert named == {"--context=docker-desktop"}
    (namespace,) = {one.partition("=")[2] for one in namespaces}
    assert applied[0] == f"Namespace/{namespace}"
    assert "Ready in" in capsys.readouterr().out

    # Each is this home's own.
    for component in ("backend", "redis"):
        (container,) = cluster.workload("Deployment", component)["spec"]["template"]["spec"]["containers"]
        assert container["image"].startswith(f"plumbline/{component}:{rendering.mark_of(home)}-")


def test_a_home_with_a_mark_like_a_number_works(
    cluster: FakeCluster, home: Home, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plumbline.targets.kubernetes.rendering.mark_of", lambda home: "12345678e123")
    deploy.up(home, target(), "asked for")
    assert cluster.state["applied"][0] == "Namespace/plumbline-12345678e123"
    assert "plumbline/home: '12345678e123'" in target().describe()["manifests.yaml"]


def test_nothing_secret_is_in_a_command_line_or_a_bundle(cluster: FakeCluster, home: Home, target: Target) -> None:
    deploy.up(home, target(), "asked for")
    values = [(home.secrets / name).read_text() for name in SECRETS]
    said = repr(cluster.calls()) + repr(target().describe())
    assert not [value for value in values if value in said]
    assert not (home.root / "kubernetes").exists()


def test_a_second_deployment_changes_nothing_unless_the_context_changes(
    home: Home,
    target: Target,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deploy.up(home, target(), "asked for")
    before = target().stack().stack_id
    deploy.up(home, target(), "asked for")
    assert "nothing changed" in capsys.readouterr().out
    assert target().stack().stack_id == before
    monkeypatch.setenv("PLUMBLINE_KUBERNETES_CONTEXT", "orbstack")
    assert not target().unchanged()


def pods_made(cluster: FakeCluster) -> dict[str, int]:
    """How often each part's pods were replaced."""
    every = {name: "StatefulSet" if name == "postgres" else "Deployment" for name in COMPONENTS}
    return {name: cluster.workload(kind, name)["metadata"]["generation"] for name, kind in every.items()}


def test_a_setting_replaces_only_the_pods_that_read_it(cluster: FakeCluster, home: Home, target: Target) -> None:
    deploy.up(home, target(), "asked for")
    before, identity = pods_made(cluster), target().stack().stack_id
    home.settings.write_text(
        "PLUMBLINE_SESSION_TTL_S=3600\nPLUMBLINE_DATA_PROCESSOR_POOL_SIZE=4\nPLUMBLINE_SHUTDOWN_DELAY=7s\n"
    )
    assert not target().unchanged()
    deploy.up(home, target(), "asked for")
    after = pods_made(cluster)
    assert {name for name in COMPONENTS if after[name] != before[name]} == {"backend", "data-processor", "caddy"}
    stack = target().stack()
    assert stack.stack_id == identity
    assert stack.settings == (
        "PLUMBLINE_SESSION_TTL_S=3600 (default 43200)",
        "PLUMBLINE_SHUTDOWN_DELAY=7s (default 5s)",
    ), "four connections are what a cluster has anyhow"
    manifests = target()._manifests()
    told = {name: manifests.environment(manifests.workload(name).main) for name in ("backend", "caddy")}
    assert told["backend"]["PLUMBLINE_SESSION_TTL_S"] == "3600"
    assert told["backend"]["PLUMBLINE_POOL_SIZE"] == "4"
    assert told["caddy"]["PLUMBLINE_SHUTDOWN_DELAY"] == "7s"
    assert told["caddy"]["PLUMBLINE_UPSTREAM_PATIENCE"] == "6s", "what the manifests say otherwise stays"
    home.settings.write_text("PLUMBLINE_FRONT_HOST=0.0.0.0\n")
    assert any("PLUMBLINE_FRONT_HOST cannot be set: a cluster's front door" in one for one in target().problems())


def test_a_change_of_sources_replaces_only_pods_that_it_concerns(
    cluster: FakeCluster, target: Target, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy.up(home, target(), "asked for")
    before, identity = pods_made(cluster), target().stack().stack_id
    changed = {**images.digests(), "backend": "f" * 64}
    monkeypatch.setattr(images, "digests", lambda: changed)
    monkeypatch.setattr(fingerprint, "of_sources", lambda also: "changed")
    deploy.up(home, target(), "asked for")
    assert target().stack().stack_id != identity
    after = pods_made(cluster)
    assert {name for name in COMPONENTS if after[name] == before[name]} == {"postgres", "redis", "caddy"}


def test_settings_count_more_than_an_overlay_and_its_components(cluster: FakeCluster, home: Home) -> None:
    del cluster
    home.prepare()
    secret_files.generate(home.secrets)
    told = Wanted(
        (
            Setting("A", "10.1.0.0/16", "PLUMBLINE_FRONT_TRUSTED_PROXIES", ("caddy",), "", differs=True),
            Setting("B", "false", "PLUMBLINE_COOKIE_SECURE", ("backend",), "", differs=True),
        )
    )
    for settings, proxies, secure in ((NONE, "10.0.0.0/8 ", "true"), (told, "10.1.0.0/16", "false")):
        recipe = rendering.Recipe(home, contexts.Choice("c", "production", ""), "mark", "id", settings)
        manifests = Manifests(recipe.documents())
        caddy, backend = (manifests.environment(manifests.workload(name).main) for name in ("caddy", "backend"))
        assert caddy["PLUMBLINE_FRONT_TRUSTED_PROXIES"].startswith(proxies)
        assert backend["PLUMBLINE_COOKIE_SECURE"] == secure


def test_a_replaced_secret_is_taken_over_under_the_same_identity(
    cluster: FakeCluster, home: Home, target: Target, capsys: pytest.CaptureFixture[str]
) -> None:
    deploy.up(home, target(), "asked for")
    before, identity = pods_made(cluster), target().stack().stack_id
    (home.secrets / "token_secret").write_bytes(b"\xef\xbb\xbfof my own choice\r\n")
    assert not target().unchanged()
    deploy.up(home, target(), "asked for")
    said = " ".join(capsys.readouterr().out.split())  # lines are wrapped
    assert "token_secret was replaced: every session ends" in said
    after = pods_made(cluster)
    assert all(after[name] > before[name] for name in ("postgres", "backend", "data-processor", "worker")), (
        "one Secret for all"
    )
    assert target().stack().stack_id == identity
    data = [one["data"] for key, one in cluster.state["resources"].items() if key.startswith("Secret/")]
    assert base64.b64decode(data[-1]["token_secret"]) == b"of my own choice"
    assert target().unchanged()


def test_parts_stop_and_start_with_as_many_pods_as_before(cluster: FakeCluster, home: Home, target: Target) -> None:
    deploy.up(home, target(), "asked for")
    mine = target()
    mine.stop("backend", "postgres")
    assert {name: state for name, state in states(mine).items() if state != "running"} == {
        "backend": "stopped",
        "postgres": "stopped",
    }
    mine.start("backend", "postgres")
    assert set(states(mine).values()) == {"running"}
    assert cluster.workload("Deployment", "backend")["spec"]["replicas"] == 2
    mine.kill("caddy")
    killed = [call[3] for call in cluster.calls() if "exec" in call and call[-1] == "kill -9 -1"]
    assert killed == ["caddy-0", "caddy-1"]


def test_down_takes_the_pods_and_leaves_the_claims_and_up_brings_them_back(
    cluster: FakeCluster, home: Home, target: Target
) -> None:
    deploy.up(home, target(), "asked for")
    stopped = target().down()
    assert stopped == list(COMPONENTS)
    assert cluster.state["pods"] == []
    scaled = [call[3] for call in cluster.calls() if call[2] == "scale"]
    assert (scaled[0], scaled[-1]) == ("deployment/caddy", "statefulset/postgres")
    assert "StatefulSet/postgres" in cluster.state["resources"]
    assert set(states(target()).values()) == {"stopped"}
    deploy.up(home, target(), "asked for")
    assert target().stack().running


def test_removing_deletes_the_namespace_that_it_made_and_no_other(
    cluster: FakeCluster, home: Home, target: Target
) -> None:
    deploy.up(home, target(), "asked for")
    namespace = cluster.state["applied"][0]
    resources = cluster.state["resources"]
    resources[namespace]["metadata"]["labels"]["plumbline/home"] = "another-home"
    cluster.change(resources=resources)
    assert "was not made by this home" in target().problems()[0]
    target().remove()
    assert namespace in cluster.state["resources"]
    assert not home.exists


def test_a_pod_that_cannot_start_ends_the_step_at_once(cluster: FakeCluster, home: Home, target: Target) -> None:
    cluster.change(stuck=["log-sink"])
    with pytest.raises(StepError, match="container log-sink: ImagePullBackOff no such image") as failed:
        deploy.up(home, target(), "asked for")
    assert failed.value.component == "log-sink"
    assert states(target())["log-sink"] == "failed"
    assert "Deployment/backend" not in cluster.state["resources"]
    assert "PLUMBLINE_REGISTRY" in str(failed.value.hint)
    # Of all pods of the part, the words of the one that explains it.
    assert target().log_tail("log-sink", 5) == ["of log-sink-0"]
    # Put right, the pod is a new one: the old one would be tried again in its own time, minutes later.
    cluster.change(stuck=[])
    deploy.up(home, target(), "asked for")
    assert target().stack().running
    assert [call[3:5] for call in cluster.calls() if call[2:4] == ["delete", "pod"]] == [["pod", "log-sink-0"]]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"versions": ["26", "33"]}, "kubectl 1.26 is too old: install 1.27 or newer"),
        ({"versions": ["33", "25+"]}, "context docker-desktop runs Kubernetes 1.25, 1.27 or newer is needed"),
        ({"forbidden": ["get namespaces"]}, "context docker-desktop may not get namespaces"),
        ({"forbidden": ["create priorityclasses.scheduling.k8s.io"]}, "may not create priorityclasses"),
        (
            {"nodes": [node("1", "8Gi")], "pods": [SYSTEM]},
            "it requests 0.92 processors and 2896 MiB of memory, with the pods that a rollout adds; free are 0.05 proc",
        ),
        ({"nodes": [node("2", "2Gi")]}, "free are 2.00 processors and 2048 MiB of memory on node-1"),
        ({"nodes": [{**node("9", "9Gi"), "spec": {"unschedulable": True}}]}, "free are no nodes"),
        ({"forbidden": ["create namespaces"]}, "context docker-desktop may not create namespaces"),
    ],
)
def test_a_cluster_that_cannot_be_deployed_to_is_found_out_before(
    cluster: FakeCluster, target: Target, change: dict[str, object], says: str
) -> None:
    cluster.change(**change)
    (problem,) = target().problems()
    assert problem.startswith(says) or says in problem
    assert cluster.state["applied"] == []


def test_rights_in_and_deletion_of_an_existing_namespace_are_checked(
    cluster: FakeCluster, home: Home, target: Target
) -> None:
    deploy.up(home, target(), "asked for")
    cluster.change(forbidden=["create secrets", "create pods/exec"])
    (problem,) = target().problems()
    assert "may not create secrets, create pods/exec (namespace plumbline-" in problem
    resources = cluster.state["resources"]
    resources[cluster.state["applied"][0]]["status"] = {"phase": "Terminating"}
    cluster.change(resources=resources)
    (problem,) = target().problems()
    assert "is being deleted: try again once it is gone" in problem


def test_a_statefulset_with_changed_immutable_fields_is_recreated_and_keeps_its_pod(
    cluster: FakeCluster, home: Home, target: Target
) -> None:
    deploy.up(home, target(), "asked for")
    resources = cluster.state["resources"]
    resources["StatefulSet/postgres"]["spec"]["podManagementPolicy"] = "OrderedReady"
    cluster.change(resources=resources)
    assert target().run("postgres") == "ready"
    assert cluster.workload("StatefulSet", "postgres")["spec"]["podManagementPolicy"] == "Parallel"
    deleted = [call[3:] for call in cluster.calls() if call[2:4] == ["delete", "statefulset"]]
    assert deleted == [["statefulset", "postgres", "--cascade=orphan"]]


def test_a_missing_kubectl_is_reported_once(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUMBLINE_KUBECTL", "kubectl-that-is-nowhere")
    assert target().problems() == [kubectl.MISSING]


def test_a_failed_migration_ends_the_deployment_before_any_service_starts(
    cluster: FakeCluster, home: Home, target: Target, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.change(migration_exit_code=75)
    with pytest.raises(StepError, match=r"the migrations ended with an error in migrate-.*: of migrate-0") as failed:
        deploy.up(home, target(), "asked for")
    assert cluster.state["resources"]["Job/migrate"]["spec"]["suspend"], "it does not try again"
    assert failed.value.exit_code == 75
    assert "Deployment/backend" not in cluster.state["resources"]
    assert "of migrate-0" in capsys.readouterr().err
    # Put right, it goes on; the Job is a new one, as none can be changed.
    cluster.change(migration_exit_code=0)
    deploy.up(home, target(), "asked for")
    assert target().stack().running
    assert [call[3:5] for call in cluster.calls() if call[2] == "delete"] == [["job", "migrate"]] * 2


def test_an_unreachable_cluster_is_reported(cluster: FakeCluster, home: Home, target: Target) -> None:
    deploy.up(home, target(), "asked for")
    cluster.change(away=True)
    assert "the cluster of context docker-desktop does not answer: Unable to connect" in target().problems()[0]
    stack = target().stack()
    assert not stack.running
    assert "connection refused" in stack.components[0].detail
    with pytest.raises(PlumblineError, match="connection refused") as refused:
        target().down()
    assert not isinstance(refused.value, StepError)


def test_without_a_current_context_nothing_is_assumed(
    cluster: FakeCluster, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PLUMBLINE_KUBERNETES_CONTEXT")
    cluster.change(context="")
    assert target().problems() == [contexts.NO_CONTEXT]


def test_the_baseline_takes_the_place_of_the_services_and_keeps_the_claim_of_postgres(
    cluster: FakeCluster, home: Home, target: Target
) -> None:
    def running() -> set[str]:
        return {one["metadata"]["labels"][COMPONENT] for one in cluster.state["pods"]}

    deploy.up(home, target(), "asked for")
    baseline.to_baseline(home, target(), snapshot=False)  # the fake cluster runs no programs
    stack = target().stack()
    assert (stack.release, stack.running) == ("baseline", True)
    assert running() == {*ON_BASELINE.components}
    assert cluster.workload("StatefulSet", "postgres")["spec"]["replicas"] == 0
    scaled = [call[3] for call in cluster.calls() if call[2] == "scale"]
    assert (scaled[0], scaled[-1]) == ("deployment/caddy", "statefulset/postgres")
    assert "PersistentVolumeClaim/baseline" in cluster.state["applied"]
    (container,) = cluster.workload("Deployment", "baseline")["spec"]["template"]["spec"]["containers"]
    assert container["image"].startswith("plumbline/baseline:")
    assert target().unchanged()

    assert set(target().down()) == {*ON_BASELINE.components}
    deploy.up(home, target(), "asked for")
    assert running() == {*ON_BASELINE.components}

    baseline.forward(home, target())
    stack = target().stack()
    assert (stack.release, stack.running) == ("", True)
    assert running() == {*COMPONENTS, "migrate"}
    assert "Deployment/baseline" not in cluster.state["resources"]
    assert "PersistentVolumeClaim/baseline" in cluster.state["resources"]


def test_nodes_that_an_autoscaler_adds_are_not_counted(cluster: FakeCluster, target: Target) -> None:
    small = node("1", "1Gi")
    cluster.change(nodes=[small])
    assert target().problems()
    cluster.change(nodes=[{**small, "metadata": {"name": NODE, "labels": {"karpenter.sh/nodepool": "default"}}}])
    assert target().problems() == []
    status = {"kind": "ConfigMap", "metadata": {"name": "cluster-autoscaler-status"}}
    cluster.change(nodes=[small], resources={"ConfigMap/cluster-autoscaler-status": status})
    assert target().problems() == []


def test_the_stacks_own_pods_do_not_take_its_room(cluster: FakeCluster, home: Home, target: Target) -> None:
    cluster.change(nodes=[node("1", "4Gi")])
    deploy.up(home, target(), "asked for")
    assert target().problems() == []


def test_removing_deletes_the_priority_class_of_the_home(cluster: FakeCluster, home: Home, target: Target) -> None:
    deploy.up(home, target(), "asked for")
    mark = rendering.mark_of(home)
    assert f"PriorityClass/plumbline-first-{mark}" in cluster.state["applied"]
    target().remove()
    deleted = [call[3:5] for call in cluster.calls() if call[2:4] == ["delete", "priorityclass"]]
    assert deleted == [["priorityclass", f"--selector=plumbline/home={mark}"]]
