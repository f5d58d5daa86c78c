"""Each check sees what it is there for: a manifest is broken in one place, and the check names it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from plumbline import ROOT
from plumbline.manifests import compose
from plumbline.manifests.checks import CHECKS
from plumbline.manifests.model import Manifests
from plumbline.manifests.render import Document

TTL = "ttlSecondsAfterFinished"

Break = Callable[[Manifests], object]


def doc(manifests: Manifests, kind: str, name: str) -> Document:
    """The document whose name is `name`, or begins with it where a hash follows."""
    for one in manifests.of(kind):
        found = one["metadata"]["name"]
        if found == name or (kind in ("ConfigMap", "Secret") and found.rpartition("-")[0] == name):
            return one
    raise KeyError(f"{kind} {name}")


def pod(manifests: Manifests, component: str) -> Document:
    return manifests.workload(component).pod


def main(manifests: Manifests, component: str) -> Document:
    return manifests.workload(component).main.spec


def data(manifests: Manifests, name: str) -> dict[str, str]:
    found: dict[str, str] = doc(manifests, "ConfigMap", name)["data"]
    return found


def policy(manifests: Manifests, name: str) -> Document:
    found: Document = doc(manifests, "NetworkPolicy", name)["spec"]
    return found


def without(manifests: Manifests, kind: str, name: str) -> None:
    manifests.documents.remove(doc(manifests, kind, name))


BREAKS: list[tuple[str, str, Break]] = [
    # Schemas
    ("schemas", "replicsa", lambda m: doc(m, "Deployment", "caddy")["spec"].update(replicsa=2)),
    ("schemas", "1.37", lambda m: doc(m, "Deployment", "caddy").update(apiVersion="extensions/v1beta1")),
    ("schemas", "spec.replicas", lambda m: doc(m, "Deployment", "caddy")["spec"].update(replicas="two")),
    # References
    (
        "references",
        "there is no Secret",
        lambda m: pod(m, "backend")["volumes"][0]["secret"].update(secretName="other"),
    ),
    (
        "references",
        "has no key token",
        lambda m: pod(m, "backend")["volumes"][0]["secret"]["items"][1].update(key="token"),
    ),
    (
        "references",
        "there is no ConfigMap",
        lambda m: main(m, "backend")["envFrom"][0]["configMapRef"].update(name="x"),
    ),
    ("references", "has no key PLUMBLINE_POSTGRES_USER", lambda m: data(m, "services").pop("PLUMBLINE_POSTGRES_USER")),
    ("references", "there is no volume scratch", lambda m: main(m, "caddy")["volumeMounts"][1].update(name="scratch")),
    ("references", "nothing mounts volume", lambda m: pod(m, "caddy")["volumes"].append({"name": "x", "emptyDir": {}})),
    ("references", "there is no ServiceAccount", lambda m: without(m, "ServiceAccount", "caddy")),
    (
        "references",
        "there is no PersistentVolumeClaim",
        lambda m: pod(m, "caddy")["volumes"].append({"name": "x", "persistentVolumeClaim": {"claimName": "gone"}}),
    ),
    ("references", "two volumes at /tmp", lambda m: main(m, "caddy")["volumeMounts"][1].update(mountPath="/tmp")),
    (
        "references",
        "is used by nothing",
        lambda m: m.documents.append({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "left-over"}}),
    ),
    (
        "references",
        "there is no Secret other",
        lambda m: doc(m, "Ingress", "front")["spec"]["tls"][0].update(secretName="other"),
    ),
    (
        "references",
        "refers to $(PLUMBLINE_POSTGRES_HOST), which is not in env before it",
        lambda m: main(m, "postgres-exporter")["env"].reverse(),
    ),
    # Selectors and ports
    (
        "selectors",
        "does not select its own pods",
        lambda m: m.workload("caddy").labels.update({"app.kubernetes.io/component": "candy"}),
    ),
    (
        "selectors",
        "selects the pods of 0 workloads",
        lambda m: doc(m, "Service", "front")["spec"].update(selector={"app": "caddy"}),
    ),
    (
        "selectors",
        "nobody listens on its targetPort web",
        lambda m: doc(m, "Service", "front")["spec"]["ports"][0].update(targetPort="web"),
    ),
    (
        "selectors",
        "nobody listens on its targetPort 8081",
        lambda m: doc(m, "Service", "front")["spec"]["ports"][0].update(targetPort=8081),
    ),
    (
        "selectors",
        "targetPort ingest is UDP, not TCP",
        lambda m: doc(m, "Service", "log-sink")["spec"]["ports"][1].pop("protocol"),
    ),
    (
        "selectors",
        "PodDisruptionBudget caddy",
        lambda m: doc(m, "PodDisruptionBudget", "caddy")["spec"].update(selector={"matchLabels": {"app": "caddy"}}),
    ),
    (
        "selectors",
        "counts the pods of somebody else",
        lambda m: pod(m, "caddy")["topologySpreadConstraints"][0].update(
            labelSelector={"matchLabels": {"app.kubernetes.io/component": "backend"}}
        ),
    ),
    ("selectors", "selects no pod", lambda m: policy(m, "redis").update(podSelector={"matchLabels": {"app": "redis"}})),
    (
        "selectors",
        "there is no Deployment back-end",
        lambda m: doc(m, "HorizontalPodAutoscaler", "backend")["spec"]["scaleTargetRef"].update(name="back-end"),
    ),
    ("selectors", "its autoscaler contradicts", lambda m: doc(m, "Deployment", "backend")["spec"].update(replicas=2)),
    (
        "selectors",
        "there is no Service back",
        lambda m: doc(m, "Ingress", "front")["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"].update(
            name="back"
        ),
    ),
    (
        "selectors",
        "no certificate for",
        lambda m: doc(m, "Ingress", "front")["spec"]["rules"][0].update(host="a.invalid"),
    ),
    (
        "selectors",
        "has no port metrix",
        lambda m: doc(m, "PodMonitor", "plumbline")["spec"]["podMetricsEndpoints"][0].update(port="metrix"),
    ),
    ("selectors", "is there twice", lambda m: main(m, "caddy")["ports"][1].update(containerPort=8080)),
    ("selectors", "two of Service front", lambda m: m.documents.append(doc(m, "Service", "front"))),
    # Quantities
    ("quantities", "is no quantity", lambda m: main(m, "caddy")["resources"]["limits"].update(memory="256MiB")),
    ("quantities", "only one of request and limit", lambda m: main(m, "caddy")["resources"]["limits"].pop("cpu")),
    ("quantities", "requests more memory", lambda m: main(m, "caddy")["resources"]["requests"].update(memory="1Gi")),
    ("quantities", "volume tmp", lambda m: pod(m, "backend")["volumes"][1].update(emptyDir={})),
    (
        "quantities",
        "claim",
        lambda m: doc(m, "StatefulSet", "postgres")["spec"]["volumeClaimTemplates"][0]["spec"]["resources"][
            "requests"
        ].update(storage="50 GB"),
    ),
    # Probes
    ("probes", "has no livenessProbe", lambda m: main(m, "redis").pop("livenessProbe")),
    (
        "probes",
        "has no route GET /healthz",
        lambda m: main(m, "backend")["readinessProbe"]["httpGet"].update(path="/healthz"),
    ),
    (
        "probes",
        "caddy has no route GET /health",
        lambda m: main(m, "caddy")["readinessProbe"]["httpGet"].update(path="/health"),
    ),
    ("probes", "has no port called web", lambda m: main(m, "backend")["readinessProbe"]["httpGet"].update(port="web")),
    (
        "probes",
        "must not depend on others",
        lambda m: main(m, "backend")["livenessProbe"]["httpGet"].update(path="/health"),
    ),
    (
        "probes",
        "counts as started before",
        lambda m: main(m, "log-sink")["startupProbe"]["httpGet"].update(path="/logs/health/live"),
    ),
    ("probes", "killed about as soon", lambda m: main(m, "backend")["livenessProbe"].update(failureThreshold=1)),
    ("probes", "to start", lambda m: main(m, "backend")["startupProbe"].update(failureThreshold=5)),
    # Settings
    ("settings", "reads no setting PLUMBLINE_POOLSIZE", lambda m: data(m, "services").update(PLUMBLINE_POOLSIZE="4")),
    ("settings", "plumbline/caddy reads no setting", lambda m: data(m, "caddy").update(PLUMBLINE_FRONT="8080")),
    ("settings", "PLUMBLINE_INGEST_PORT is missing", lambda m: data(m, "log-sink").pop("PLUMBLINE_INGEST_PORT")),
    ("settings", "where no secret is mounted", lambda m: data(m, "services").update(PLUMBLINE_TOKEN_SECRET_FILE="/x")),
    (
        "settings",
        "there is no Service redis-master",
        lambda m: data(m, "stack").update(PLUMBLINE_REDIS_URL="redis://redis-master:6379/0"),
    ),
    ("settings", "Service backend has no such port", lambda m: data(m, "caddy").update(PLUMBLINE_BACKEND="backend:80")),
    ("settings", "there is no such Service", lambda m: data(m, "services").update(PLUMBLINE_POSTGRES_HOST="database")),
    (
        "settings",
        "requests: PLUMBLINE_UPSTREAM_PATIENCE",
        lambda m: data(m, "caddy").pop("PLUMBLINE_UPSTREAM_PATIENCE"),
    ),
    (
        "settings",
        "requests: PLUMBLINE_SHUTDOWN_DELAY",
        lambda m: data(m, "caddy").update(PLUMBLINE_SHUTDOWN_DELAY="0s"),
    ),
    ("settings", "address of the ingress", lambda m: data(m, "caddy").pop("PLUMBLINE_FRONT_TRUSTED_PROXIES")),
    ("settings", "without it, too", lambda m: data(m, "backend").update(PLUMBLINE_COOKIE_SECURE="false")),
    # Compose
    ("compose", "is built by nobody", lambda m: main(m, "caddy").update(image="x.example/plumbline/front:1")),
    ("compose", "names no release", lambda m: main(m, "caddy").update(image="plumbline/caddy")),
    ("compose", "redis is redis:7", lambda m: main(m, "redis").update(image="redis:7")),
    (
        "compose",
        "PLUMBLINE_INGEST_PORT is '9002' here",
        lambda m: data(m, "log-sink").update(PLUMBLINE_INGEST_PORT="9002"),
    ),
    ("compose", "may use 2Gi of memory", lambda m: main(m, "caddy")["resources"]["limits"].update(memory="2Gi")),
    ("compose", "may use 512Mi of memory", lambda m: main(m, "postgres")["resources"]["limits"].update(memory="512Mi")),
    ("compose", "other arguments", lambda m: main(m, "redis")["args"].pop()),
    ("compose", "Compose runs caddy", lambda m: without(m, "Deployment", "caddy")),
    # Network
    ("network", "the policies stop backend -> postgres:5432", lambda m: policy(m, "backend")["egress"].pop(0)),
    (
        "network",
        "the policies stop caddy -> log-sink:9001/UDP",
        lambda m: policy(m, "log-sink")["ingress"][0]["ports"].pop(),
    ),
    (
        "network",
        "allow log-sink -> postgres:5432",
        lambda m: (
            policy(m, "postgres")["ingress"].append({"ports": [{"port": 5432}]}),
            policy(m, "log-sink")["egress"].append({"ports": [{"port": 5432}]}),
        ),
    ),
    ("network", "allow anywhere -> caddy:9000", lambda m: policy(m, "caddy")["ingress"][1].pop("from")),
    (
        "network",
        "allow redis -> anywhere",
        lambda m: (without(m, "NetworkPolicy", "default-deny"), policy(m, "redis").update(policyTypes=["Ingress"])),
    ),
    ("network", "allow redis -> cluster DNS:53", lambda m: policy(m, "dns").update(podSelector={})),
    ("network", "the policies stop caddy -> cluster DNS", lambda m: without(m, "NetworkPolicy", "dns")),
    (
        "network",
        "allow anywhere -> backend:8001",
        lambda m: policy(m, "backend")["ingress"][0].update({"from": [{"namespaceSelector": {}}]}),
    ),
    # Hardening
    ("hardening", "does not enforce", lambda m: next(m.of("Namespace"))["metadata"].pop("labels")),
    ("hardening", "mounts a token", lambda m: pod(m, "caddy").pop("automountServiceAccountToken")),
    ("hardening", "mounts its token", lambda m: doc(m, "ServiceAccount", "caddy").pop("automountServiceAccountToken")),
    ("hardening", "share ServiceAccount", lambda m: pod(m, "caddy").update(serviceAccountName="backend")),
    ("hardening", "addresses of all Services", lambda m: pod(m, "caddy").pop("enableServiceLinks")),
    ("hardening", "may run as root", lambda m: pod(m, "caddy")["securityContext"].pop("runAsUser")),
    ("hardening", "no seccomp profile", lambda m: pod(m, "caddy")["securityContext"].pop("seccompProfile")),
    ("hardening", "shares something with its node", lambda m: pod(m, "caddy").update(hostNetwork=True)),
    ("hardening", "may gain privileges", lambda m: main(m, "caddy")["securityContext"].pop("allowPrivilegeEscalation")),
    (
        "hardening",
        "may write to its image",
        lambda m: main(m, "caddy")["securityContext"].pop("readOnlyRootFilesystem"),
    ),
    (
        "hardening",
        "keeps capabilities",
        lambda m: main(m, "caddy")["securityContext"]["capabilities"].update(add=["NET_BIND_SERVICE"]),
    ),
    (
        "hardening",
        "volume of kind hostPath",
        lambda m: pod(m, "caddy")["volumes"].append({"name": "x", "hostPath": {"path": "/"}}),
    ),
    ("hardening", "can read secret volume", lambda m: pod(m, "backend")["volumes"][0]["secret"].pop("defaultMode")),
    ("hardening", "mounts every secret", lambda m: pod(m, "backend")["volumes"][0]["secret"].pop("items")),
    ("hardening", "redis has a volume", lambda m: pod(m, "redis").update(volumes=[{"name": "x", "emptyDir": {}}])),
    (
        "hardening",
        "a secret in its environment",
        lambda m: main(m, "caddy").update(
            env=[{"name": "X", "valueFrom": {"secretKeyRef": {"name": "x", "key": "y"}}}]
        ),
    ),
    (
        "hardening",
        "has a Secret in its environment",
        lambda m: main(m, "caddy")["envFrom"].append({"secretRef": {"name": "x"}}),
    ),
    ("hardening", "has one pod", lambda m: doc(m, "Deployment", "caddy")["spec"].update(replicas=1)),
    ("hardening", "has no PodDisruptionBudget", lambda m: without(m, "PodDisruptionBudget", "caddy")),
    ("hardening", "not spread", lambda m: pod(m, "caddy")["topologySpreadConstraints"].pop()),
    (
        "hardening",
        "takes pods away",
        lambda m: doc(m, "Deployment", "caddy")["spec"]["strategy"]["rollingUpdate"].update(maxUnavailable=1),
    ),
    ("hardening", "preStop", lambda m: main(m, "caddy").pop("lifecycle")),
    ("hardening", "killed before it has ended", lambda m: pod(m, "caddy").update(terminationGracePeriodSeconds=10)),
    ("hardening", "cannot read its own secret", lambda m: pod(m, "backend")["securityContext"].pop("fsGroup")),
    (
        "hardening",
        "cannot read its own secret",
        lambda m: pod(m, "postgres")["volumes"][0]["secret"].update(defaultMode=0o400),
    ),
    ("hardening", "no /tmp that it can write to", lambda m: main(m, "backend")["volumeMounts"].pop()),
    (
        "hardening",
        "wait-for-backend-schema has no /tmp",
        lambda m: pod(m, "data-processor")["initContainers"][0]["volumeMounts"].pop(),
    ),
    (
        "hardening",
        "a rollout is about to take away",
        lambda m: pod(m, "caddy")["topologySpreadConstraints"][0].pop("matchLabelKeys"),
    ),
    ("hardening", "has no ttlSecondsAfterFinished", lambda m: doc(m, "Job", "migrate")["spec"].pop(TTL)),
    (
        "hardening",
        "cannot be drained",
        lambda m: doc(m, "PodDisruptionBudget", "caddy")["spec"].update(maxUnavailable=0),
    ),
    (
        "hardening",
        "lets no pod of deployment/backend go",
        lambda m: doc(m, "PodDisruptionBudget", "backend")["spec"].update(minAvailable=2),
    ),
    (
        "hardening",
        "protects pods that do not work",
        lambda m: doc(m, "PodDisruptionBudget", "caddy")["spec"].pop("unhealthyPodEvictionPolicy"),
    ),
    (
        "hardening",
        "has one pod",
        lambda m: doc(m, "HorizontalPodAutoscaler", "backend")["spec"].update(minReplicas=1),
    ),
    # Order
    ("order", "backend does not wait for migrate-data-processor", lambda m: pod(m, "backend")["initContainers"].pop()),
    (
        "order",
        "migrate-backend waits for migrate-data-processor, which the plan has later",
        lambda m: pod(m, "migrate")["initContainers"].reverse(),
    ),
    ("order", "migrate-backend does not wait for postgres", lambda m: pod(m, "migrate")["initContainers"].pop(0)),
    ("order", "caddy does not wait for services", lambda m: pod(m, "caddy").pop("initContainers")),
    # Capacity
    ("capacity", "nothing says how many connections", lambda m: main(m, "postgres").pop("args")),
    (
        "capacity",
        "Postgres has 57",
        lambda m: main(m, "postgres").update(args=["-c", "max_connections=60"]),
    ),
    (
        "capacity",
        "database connections may be asked for",
        lambda m: data(m, "services").update(PLUMBLINE_POOL_SIZE="8"),
    ),
    (
        "capacity",
        "database connections may be asked for",
        lambda m: doc(m, "HorizontalPodAutoscaler", "backend")["spec"].update(maxReplicas=20),
    ),
]


@pytest.mark.parametrize(("check", "says", "spoil"), BREAKS, ids=[f"{one[0]}-{one[1]}" for one in BREAKS])
def test_a_break_is_seen(production: Manifests, check: str, says: str, spoil: Break) -> None:
    spoil(production)
    found = list(CHECKS[check](production))
    assert any(says in problem for problem in found), found


def test_every_check_is_broken_here() -> None:
    assert {one[0] for one in BREAKS} == set(CHECKS)


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        ("docker/compose.yaml", "PLUMBLINE_STACK_ID: $", "PLUMBLINE_HOST: 0.0.0.0 # $"),
        ("k8s/base/services.env", "PLUMBLINE_POOL_SIZE=4", "PLUMBLINE_POSTGRES_HOST=postgres"),
        ("k8s/base/kustomization.yaml", "PLUMBLINE_STACK_ID=by-hand", "PLUMBLINE_HOST=0.0.0.0"),
    ],
)
def test_a_default_that_is_written_twice_is_seen(tmp_path: Path, file: str, before: str, after: str) -> None:
    for folder in ("docker", "k8s"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("secrets"))
    assert list(compose.repetitions(tmp_path)) == []
    place = tmp_path / file
    text = place.read_text()
    assert before in text
    place.write_text(text.replace(before, after))
    assert [one.partition(":")[0] for one in compose.repetitions(tmp_path)][:1] == [file]


def test_ports_by_name_are_refused(production: Manifests) -> None:
    policy(production, "redis")["ingress"][0]["ports"][0]["port"] = "redis"
    with pytest.raises(ValueError, match="use the number"):
        list(CHECKS["network"](production))
