"""What drills do to a cluster while clients use the stack in it."""

from __future__ import annotations

import json
import time

from plumbline.backups import revisions
from plumbline.errors import PlumblineError
from plumbline.targets.kubernetes.requests import Amount, of_pod, total
from plumbline.verification.cluster.node import Node
from plumbline.verification.cluster.stage import ClusterStage
from plumbline.verification.drills.stage import Stage

_CUT_S = 20.0
_SEEN_S = 120.0
_OUT_OF_SERVICE = "node.kubernetes.io/out-of-service=nodeshutdown:NoExecute"
_DATA = ("postgres", "redis")
_FILLER = "filler"
_MIGRATION = '''"""Fail, for a drill."""

revision = "9999_fails"
down_revision = "{head}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    raise RuntimeError("this migration fails on purpose")


def downgrade() -> None:
    pass
'''


def _of(stage: Stage) -> ClusterStage:
    if not isinstance(stage, ClusterStage):
        raise PlumblineError("this drill needs a cluster")
    return stage


def nothing(stage: Stage) -> None:
    """Leave the cluster as it is for a while."""
    _of(stage)
    time.sleep(_CUT_S)


def lose_a_node(stage: Stage) -> None:
    """Cut the power of a node without Postgres and Redis, and turn it on again after it was missed."""
    made = _of(stage)
    node = made.node_without(*_DATA)
    node.kill()
    made.wait(lambda: not made.is_ready(node), f"{node.name} was not missed", _SEEN_S)
    time.sleep(_CUT_S)
    _turn_on(made, node)


def lose_the_node_of_postgres(stage: Stage) -> None:
    """Cut the power of the node of Postgres, and say that it is out of service, as an operator has to."""
    made = _of(stage)
    node = made.node_of("postgres")
    node.kill()
    made.wait(lambda: not made.is_ready(node), f"{node.name} was not missed", _SEEN_S)
    made.cluster.kubectl("taint", "node", node.name, _OUT_OF_SERVICE)
    made.wait_whole()
    made.cluster.kubectl("taint", "node", node.name, f"{_OUT_OF_SERVICE}-")
    _turn_on(made, node)


def _turn_on(made: ClusterStage, node: Node) -> None:
    made.cluster.turn_on(node)
    made.wait(lambda: made.is_ready(node), f"{node.name} was not ready again")
    made.wait_whole()


def drain(stage: Stage) -> None:
    """Drain a node without Postgres and Redis, and let it take pods again."""
    made = _of(stage)
    _drain(made, made.node_without(*_DATA))


def drain_the_node_of_postgres(stage: Stage) -> None:
    """Drain the node of Postgres."""
    made = _of(stage)
    _drain(made, made.node_of("postgres"))


def _drain(made: ClusterStage, node: Node) -> None:
    made.cluster.kubectl(
        "drain", node.name, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=240s", timeout=250
    )
    made.wait_whole()
    made.cluster.kubectl("uncordon", node.name)


def cut_a_node_off(stage: Stage) -> None:
    """Pull the cable of a node without Postgres and Redis for a while."""
    made = _of(stage)
    _cut(made, made.node_without(*_DATA))


def cut_postgres_off(stage: Stage) -> None:
    """Pull the cable of the node of Postgres for a while."""
    made = _of(stage)
    _cut(made, made.node_of("postgres"))


def _cut(made: ClusterStage, node: Node) -> None:
    made.cluster.net.cut(made.cluster.machine, node.number)
    time.sleep(_CUT_S)
    made.cluster.net.mend(made.cluster.machine, node.number)
    made.wait(lambda: made.is_ready(node), f"{node.name} was not ready again")
    made.wait_whole()


def broken_image(stage: Stage) -> None:
    """Roll out an image of the backend that does nothing, and take it back when its pod has not become ready."""
    made = _of(stage)
    image = made.cluster.registry.image("pause")
    made.kubectl("set", "image", "deployment/backend", f"backend={image}")
    made.wait(lambda: _runs(made, image), "the broken image was not started")
    time.sleep(_CUT_S)
    made.kubectl("rollout", "undo", "deployment/backend")
    made.wait_whole()


def _runs(made: ClusterStage, image: str) -> bool:
    return any(
        one["image"] == image and "running" in one["state"]
        for pod in made.pods("backend")
        for one in pod["status"].get("containerStatuses", [])
    )


def failing_migration(stage: Stage) -> None:
    """Run `up` with a migration that fails, and then the checkout as it was."""
    made = _of(stage)
    folder = "services/backend/backend/migrations/versions"
    head = revisions.known("backend")[-1]
    with made.other_checkout({f"{folder}/9999_fails.py": _MIGRATION.format(head=head)}):
        try:
            made.run("up")
        except PlumblineError as error:
            if "fails on purpose" not in str(error):
                raise PlumblineError(f"`up` does not say why the migration failed: {error}") from None
        else:
            raise PlumblineError("`up` succeeded with a migration that fails")
    made.run("up")


def good_release(stage: Stage) -> None:
    """Run `up` with a change in each service, and then the checkout as it was."""
    made = _of(stage)
    changes = {
        f"services/{folder}/{package}/__init__.py": "\n# A change.\n"
        for folder, package in (("backend", "backend"), ("servicekit", "servicekit"))
    }
    with made.other_checkout(changes):
        made.run("up")
    made.run("up")


def scale_the_worker(stage: Stage) -> None:
    """Give the worker two pods, and one again, while documents come in."""
    made = _of(stage)
    for replicas in (1, 2, 1, 2):
        made.kubectl("scale", "deployment/worker", f"--replicas={replicas}")
        made.kubectl("rollout", "status", "deployment/worker", "--timeout=240s")
        time.sleep(_CUT_S / 2)


def restart_postgres_without_room(stage: Stage) -> None:
    """Let a rollout wait for processors on full nodes, and delete Postgres's pod meanwhile."""
    made = _of(stage)
    _fill(made)
    try:
        made.kubectl("rollout", "restart", "deployment/backend")
        made.wait(lambda: _waits(made, "backend"), "no pod of the rollout waited for room")
        made.kubectl("delete", "pod", "postgres-0")
        made.kubectl("rollout", "status", "statefulset/postgres", "--timeout=240s")
        time.sleep(_CUT_S)
    finally:
        made.cluster.kubectl("delete", "namespace", _FILLER, timeout=250)
    made.wait_whole()


def _waits(made: ClusterStage, component: str) -> bool:
    return any(pod["status"]["phase"] == "Pending" and "nodeName" not in pod["spec"] for pod in made.pods(component))


def _fill(made: ClusterStage) -> None:
    """Let pods that give way to none request what nodes have free, but for a little."""
    for node in made.cluster.nodes:
        name = f"{_FILLER}-{node.name}"
        document = {
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": _FILLER},
            "spec": {
                "nodeName": node.name, "priorityClassName": "system-node-critical", "terminationGracePeriodSeconds": 0,
                "containers": [{
                    "name": "filler", "image": made.cluster.registry.image("pause"),
                    "resources": {"requests": {"cpu": f"{_free_millis(made, node) - 20}m"}},
                }],
            },
        }  # fmt: skip
        if node is made.cluster.nodes[0]:
            made.cluster.kubectl("create", "namespace", _FILLER)
        made.cluster.kubectl("apply", "--filename=-", stdin=json.dumps(document))


def _free_millis(made: ClusterStage, node: Node) -> int:
    told = json.loads(made.cluster.kubectl("get", "node", node.name, "--output=json"))["status"]["allocatable"]
    there = made.cluster.kubectl(
        "get", "pods", "--all-namespaces", "--output=json", f"--field-selector=spec.nodeName={node.name}"
    )
    pods = [pod for pod in json.loads(there)["items"] if pod["status"]["phase"] in ("Pending", "Running")]
    return int((Amount.read(told) - total(of_pod(pod["spec"]) for pod in pods)).cpu * 1000)
