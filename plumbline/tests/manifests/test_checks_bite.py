"""Each check sees what it is there for: a manifest is broken in one place, and the check names it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from plumbline import ROOT
from plumbline.manifests import checks, compose, references, render
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


def deployment(manifests: Manifests, name: str) -> Document:
    found: Document = doc(manifests, "Deployment", name)["spec"]
    return found


def init(manifests: Manifests, component: str, place: int) -> Document:
    found: Document = pod(manifests, component)["initContainers"][place]
    return found


def cluster(manifests: Manifests) -> Document:
    found: Document = next(manifests.of("Cluster"))["spec"]
    return found


def ingress(manifests: Manifests) -> Document:
    return doc(manifests, "Ingress", "front")


def way_in(manifests: Manifests) -> Document:
    """The Ingress's only path."""
    found: Document = ingress(manifests)["spec"]["rules"][0]["http"]["paths"][0]
    return found


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
    (
        "references",
        "volume tmp is there twice",
        lambda m: pod(m, "caddy")["volumes"].append({"name": "tmp", "emptyDir": {"sizeLimit": "1Mi"}}),
    ),
    (
        "references",
        "postgres variable PLUMBLINE_POSTGRES_DB is there twice",
        lambda m: main(m, "postgres")["env"].append({"name": "PLUMBLINE_POSTGRES_DB", "value": "other"}),
    ),
    (
        "references",
        "container backend-at-head is there twice",
        lambda m: pod(m, "migrate")["containers"].append(main(m, "migrate")),
    ),
    (
        "references",
        "port front is there twice",
        lambda m: main(m, "caddy")["ports"].append({"name": "front", "containerPort": 8081}),
    ),
    (
        "references",
        "may be absent",
        lambda m: main(m, "backend")["envFrom"][1]["configMapRef"].update(optional=True),
    ),
    (
        "references",
        "Service backend is in no namespace that is made here",
        lambda m: doc(m, "Service", "backend")["metadata"].update(namespace="default"),
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
    (
        "selectors",
        "port 8001 leads to 8101",
        lambda m: main(m, "backend")["ports"][0].update(containerPort=8101),
    ),
    ("selectors", "reached from outside", lambda m: doc(m, "Service", "redis")["spec"].update(type="NodePort")),
    (
        "selectors",
        "statefulset/postgres: there is no Service pg",
        lambda m: doc(m, "StatefulSet", "postgres")["spec"].update(serviceName="pg"),
    ),
    (
        "selectors",
        "backend is of apps/v1",
        lambda m: doc(m, "HorizontalPodAutoscaler", "backend")["spec"]["scaleTargetRef"].update(apiVersion="apps/v2"),
    ),
    ("selectors", "no certificate for every host", lambda m: ingress(m)["spec"]["rules"][0].pop("host")),
    ("selectors", "said for which host", lambda m: ingress(m)["spec"]["rules"][0].update(host="plumbline.invalid")),
    ("selectors", "only a part of all paths", lambda m: way_in(m).update(path="/api")),
    (
        "selectors",
        "leads past the front door",
        lambda m: way_in(m)["backend"].update(service={"name": "caddy", "port": {"name": "internal"}}),
    ),
    (
        "selectors",
        "smaller bodies",
        lambda m: ingress(m)["metadata"]["annotations"].pop("nginx.ingress.kubernetes.io/proxy-body-size"),
    ),
    (
        "selectors",
        "cuts off quiet sockets",
        lambda m: ingress(m)["metadata"]["annotations"].pop("nginx.ingress.kubernetes.io/proxy-read-timeout"),
    ),
    (
        "selectors",
        "holds back live tails",
        lambda m: ingress(m)["metadata"]["annotations"].pop("nginx.ingress.kubernetes.io/proxy-buffering"),
    ),
    (
        "selectors",
        "alert PlumblinePartUnavailable: nothing is called back-end",
        lambda m: doc(m, "PrometheusRule", "plumbline")["spec"]["groups"][0]["rules"][0].update(
            expr='kube_deployment_status_replicas_available{deployment=~"caddy|back-end"} == 0'
        ),
    ),
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
    (
        "quantities",
        "volumes in memory may take most",
        lambda m: pod(m, "postgres")["volumes"][3]["emptyDir"].update(sizeLimit="1Gi"),
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
    (
        "probes",
        "no scheme, host or header",
        lambda m: main(m, "backend")["readinessProbe"]["httpGet"].update(scheme="HTTPS"),
    ),
    (
        "probes",
        "no route GET /health/live on port front",
        lambda m: main(m, "caddy")["readinessProbe"]["httpGet"].update(port="front"),
    ),
    (
        "probes",
        "does not ask postgres: pg_isready",
        lambda m: main(m, "postgres")["readinessProbe"]["exec"].update(command=["true"]),
    ),
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
    ("settings", "not integer", lambda m: data(m, "services").update(PLUMBLINE_POOL_SIZE="four")),
    ("settings", "not true or false", lambda m: data(m, "backend").update(PLUMBLINE_COOKIE_SECURE="yes")),
    ("settings", "PGSSLMODE is 'required'", lambda m: data(m, "services").update(PGSSLMODE="required")),
    ("settings", "listens on 8009", lambda m: data(m, "backend").update(PLUMBLINE_PORT="8009")),
    ("settings", "PLUMBLINE_STACK_ID is missing", lambda m: data(m, "stack").pop("PLUMBLINE_STACK_ID")),
    (
        "settings",
        "operator_password, and needs it for nothing",
        lambda m: pod(m, "backend")["volumes"][0]["secret"]["items"].append(
            {"key": "operator_password", "path": "operator_password"}
        ),
    ),
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
    (
        "compose",
        "is two releases at a time",
        lambda m: init(m, "backend", 1).update(image="registry.example.com/plumbline/data-processor:0.0.9"),
    ),
    ("compose", "runs another program", lambda m: main(m, "backend").update(command=["sleep", "infinity"])),
    ("compose", "runs another program", lambda m: main(m, "redis").update(command=["redis-sentinel"])),
    ("compose", "other arguments", lambda m: main(m, "backend").update(args=["migrate"])),
    ("compose", "whom its image is made for", lambda m: pod(m, "backend")["securityContext"].update(runAsUser=1000)),
    ("compose", "collects dead processes", lambda m: pod(m, "caddy").pop("shareProcessNamespace")),
    ("compose", "caddy cannot write to /data", lambda m: main(m, "caddy")["volumeMounts"].pop(1)),
    ("compose", "postgres cannot write to /dev/shm", lambda m: main(m, "postgres")["volumeMounts"].pop()),
    (
        "compose",
        "less than 128m of /dev/shm",
        lambda m: pod(m, "postgres")["volumes"][3]["emptyDir"].update(sizeLimit="8Mi"),
    ),
    (
        "compose",
        "loses /var/lib/postgresql/data with its pod",
        lambda m: doc(m, "StatefulSet", "postgres")["spec"].pop("volumeClaimTemplates"),
    ),
    (
        "compose",
        "terminationGracePeriodSeconds below 45",
        lambda m: data(m, "caddy").update(PLUMBLINE_SHUTDOWN_DELAY="25s"),
    ),
    ("compose", "does not read docker/caddy", lambda m: main(m, "caddy")["volumeMounts"][0].update(mountPath="/etc")),
    ("compose", "does not read docker/caddy", lambda m: data(m, "caddyfile").update(Caddyfile=":8080")),
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
    (
        "network",
        "allow backend -> postgres:9999",
        lambda m: (
            policy(m, "postgres")["ingress"][0]["ports"][0].update(endPort=9999),
            policy(m, "backend")["egress"][0]["ports"][0].update(endPort=9999),
        ),
    ),
    (
        "network",
        "allow log-sink -> redis:1/TCP",
        lambda m: (
            policy(m, "redis")["ingress"][0].update(ports=[{"protocol": "TCP"}]),
            policy(m, "log-sink")["egress"][0].update(ports=[{"protocol": "TCP"}]),
        ),
    ),
    (
        "network",
        "the policies stop migrate -> postgres",
        # Of what comes in alone, then, which is nothing.
        lambda m: policy(m, "migrate").update(policyTypes=["Ingress"]),
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
    ("availability", "has one pod", lambda m: doc(m, "Deployment", "caddy")["spec"].update(replicas=1)),
    ("availability", "has no PodDisruptionBudget", lambda m: without(m, "PodDisruptionBudget", "caddy")),
    ("availability", "not spread", lambda m: pod(m, "caddy")["topologySpreadConstraints"].pop()),
    (
        "availability",
        "takes pods away",
        lambda m: doc(m, "Deployment", "caddy")["spec"]["strategy"]["rollingUpdate"].update(maxUnavailable=1),
    ),
    ("availability", "preStop", lambda m: main(m, "caddy").pop("lifecycle")),
    ("compose", "killed before it has ended", lambda m: pod(m, "caddy").update(terminationGracePeriodSeconds=10)),
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
        "availability",
        "a rollout is about to take away",
        lambda m: pod(m, "caddy")["topologySpreadConstraints"][0].pop("matchLabelKeys"),
    ),
    ("availability", "has no ttlSecondsAfterFinished", lambda m: doc(m, "Job", "migrate")["spec"].pop(TTL)),
    (
        "availability",
        "cannot be drained",
        lambda m: doc(m, "PodDisruptionBudget", "caddy")["spec"].update(maxUnavailable=0),
    ),
    (
        "availability",
        "lets no pod of deployment/backend go",
        lambda m: doc(m, "PodDisruptionBudget", "backend")["spec"].update(minAvailable=2),
    ),
    (
        "availability",
        "protects pods that do not work",
        lambda m: doc(m, "PodDisruptionBudget", "caddy")["spec"].pop("unhealthyPodEvictionPolicy"),
    ),
    (
        "availability",
        "has one pod",
        lambda m: doc(m, "HorizontalPodAutoscaler", "backend")["spec"].update(minReplicas=1),
    ),
    ("hardening", "there is no Namespace", lambda m: m.documents.remove(next(m.of("Namespace")))),
    ("hardening", "may gain privileges", lambda m: main(m, "caddy")["securityContext"].update(privileged=True)),
    ("hardening", "of its own with runAsUser", lambda m: main(m, "caddy")["securityContext"].update(runAsUser=0)),
    (
        "hardening",
        "of its own with seccompProfile",
        lambda m: main(m, "caddy")["securityContext"].update(seccompProfile={"type": "Unconfined"}),
    ),
    (
        "hardening",
        "a security context with sysctls",
        lambda m: pod(m, "caddy")["securityContext"].update(sysctls=[{"name": "kernel.msgmax", "value": "1"}]),
    ),
    ("hardening", "may run as root", lambda m: pod(m, "caddy")["securityContext"].update(runAsGroup=0)),
    ("hardening", "takes a port of its node", lambda m: main(m, "caddy")["ports"][0].update(hostPort=80)),
    (
        "hardening",
        "mounts a token: volume token",
        lambda m: pod(m, "caddy")["volumes"].append(
            {"name": "token", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}
        ),
    ),
    (
        "hardening",
        "no /tmp that it can write to",
        lambda m: main(m, "backend")["volumeMounts"][1].update(readOnly=True),
    ),
    # Availability
    ("availability", "is halted", lambda m: doc(m, "Job", "migrate")["spec"].update(suspend=True)),
    ("availability", "is halted", lambda m: deployment(m, "backend").update(paused=True)),
    (
        "availability",
        "neither add a pod",
        lambda m: deployment(m, "backend")["strategy"]["rollingUpdate"].update(maxSurge=0),
    ),
    (
        "availability",
        "does not start where it cannot be spread",
        lambda m: pod(m, "backend")["topologySpreadConstraints"][1].update(whenUnsatisfiable="DoNotSchedule"),
    ),
    ("availability", "may run twice at a time", lambda m: deployment(m, "redis").update(replicas=2)),
    ("availability", "may run twice at a time", lambda m: deployment(m, "redis").pop("strategy")),
    (
        "availability",
        "preStop that sleeps for 5 s",
        lambda m: main(m, "caddy")["lifecycle"]["preStop"]["exec"].update(command=["sleep", "1"]),
    ),
    ("availability", "a lost answer of the DNS", lambda m: pod(m, "caddy").pop("dnsConfig")),
    ("availability", "is tried only once", lambda m: doc(m, "Job", "migrate")["spec"].update(backoffLimit=0)),
    ("availability", "restartPolicy Never", lambda m: pod(m, "migrate").update(restartPolicy="OnFailure")),
    (
        "availability",
        "is tried again after exit code 78",
        lambda m: doc(m, "Job", "migrate")["spec"].pop("podFailurePolicy"),
    ),
    (
        "availability",
        "just one of minAvailable and maxUnavailable",
        lambda m: doc(m, "PodDisruptionBudget", "backend")["spec"].update(minAvailable=1),
    ),
    (
        "availability",
        "lets no pod of deployment/caddy go",
        lambda m: doc(m, "PodDisruptionBudget", "caddy").update(
            spec={"minAvailable": "90%", "selector": {"matchLabels": {"app.kubernetes.io/component": "caddy"}}}
        ),
    ),
    (
        "availability",
        "more pods at least than at most",
        lambda m: doc(m, "HorizontalPodAutoscaler", "backend")["spec"].update(minReplicas=5),
    ),
    # Postgres
    (
        "postgres",
        "only one is asked",
        lambda m: doc(m, "StatefulSet", "postgres")["spec"].update(replicas=2),
    ),
    (
        "postgres",
        "not replaced by a later release",
        lambda m: doc(m, "StatefulSet", "postgres")["spec"].pop("podManagementPolicy"),
    ),
    (
        "postgres",
        "does not start a second time",
        lambda m: pod(m, "postgres")["securityContext"].pop("fsGroupChangePolicy"),
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
    ("order", "backend does not wait for migrate-backend", lambda m: pod(m, "backend")["initContainers"].pop(0)),
    (
        "order",
        "data-processor does not wait for migrate-data-processor",
        lambda m: init(m, "data-processor", 1).update(command=["true"]),
    ),
    (
        "order",
        "backend does not wait for migrate-data-processor",
        lambda m: init(m, "backend", 1).update(restartPolicy="Always"),
    ),
    (
        "order",
        "is done before anybody has seen the tables of plumbline/data-processor",
        lambda m: pod(m, "migrate")["containers"].pop(),
    ),
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
    found = checks.found(check, production)
    assert any(says in problem for problem in found), found


CLUSTER_BREAKS: list[tuple[str, str, Break]] = [
    ("postgres", "someone owns app_db", lambda m: cluster(m)["bootstrap"]["initdb"].update(owner="someone")),
    ("postgres", "owns other", lambda m: cluster(m)["bootstrap"]["initdb"].update(database="other")),
    ("postgres", "is not Postgres 16", lambda m: cluster(m).update(imageName="ghcr.io/cloudnative-pg/postgresql:17")),
    ("postgres", "is no quantity", lambda m: cluster(m).update(storage={"size": "50GB"})),
    ("postgres", "basic-auth", lambda m: doc(m, "Secret", "postgres-owner").update(type="Opaque")),
    (
        "postgres",
        "the secret is that of other",
        lambda m: doc(m, "Secret", "postgres-owner")["stringData"].update(username="other"),
    ),
    (
        "postgres",
        "another password than the services use",
        lambda m: doc(m, "Secret", "postgres-owner")["data"].update(password="b3RoZXI="),
    ),
    ("postgres", "does not write", lambda m: data(m, "services").update(PLUMBLINE_POSTGRES_HOST="postgres-r")),
    (
        "references",
        "there is no Secret other",
        lambda m: cluster(m)["bootstrap"]["initdb"]["secret"].update(name="other"),
    ),
    ("capacity", "Postgres has 37", lambda m: cluster(m)["postgresql"]["parameters"].update(max_connections="40")),
]


@pytest.mark.parametrize(
    ("check", "says", "spoil"), CLUSTER_BREAKS, ids=[f"{one[0]}-{one[1]}" for one in CLUSTER_BREAKS]
)
def test_a_break_is_seen_where_an_operator_runs_postgres(check: str, says: str, spoil: Break) -> None:
    manifests = Manifests(render.documents(render.Variant("production", ("cloudnative-pg",))))
    spoil(manifests)
    found = checks.found(check, manifests)
    assert any(says in problem for problem in found), found


def test_another_port_of_a_postgres_from_elsewhere_needs_another_arrow() -> None:
    manifests = Manifests(render.documents(render.Variant("production", ("external-postgres",))))
    data(manifests, "services").update(PLUMBLINE_POSTGRES_PORT="6432")
    assert "the policies stop backend -> anywhere:6432/TCP" in checks.found("network", manifests)
    policy(manifests, "external-postgres")["egress"][0]["ports"][0].update(port=6432)
    assert checks.found("network", manifests) == []


def test_what_cannot_be_checked_is_a_finding_and_does_not_stop_the_others(production: Manifests) -> None:
    main(production, "backend").pop("resources")
    found = checks.problems(production)
    assert any(one.startswith("quantities: deployment/backend backend cpu: no quantity") for one in found)
    assert any(one.startswith("compose: something that it reads is missing") and "'resources'" in one for one in found)


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


@pytest.mark.parametrize(
    ("file", "before", "after", "says"),
    [
        ("overlays/local/secrets/kustomization.yaml", "files: [", "literals: [a=b]\n    files: [", "from files alone"),
        (
            "components/cloudnative-pg/secret-postgres-owner.yaml",
            "  username:",
            "  password: x\n  username:",
            "holds a",
        ),
        ("base/namespace.yaml", "apiVersion: v1", "kind: Secret\ndata: {key: eA==}\n---\napiVersion: v1", "holds a"),
    ],
)
def test_a_secret_in_a_file_of_ours_is_seen(tmp_path: Path, file: str, before: str, after: str, says: str) -> None:
    shutil.copytree(ROOT / "k8s", tmp_path / "k8s")
    assert list(references.literal_secrets(tmp_path)) == []
    place = tmp_path / "k8s" / file
    text = place.read_text()
    assert before in text
    place.write_text(text.replace(before, after, 1))
    (found,) = references.literal_secrets(tmp_path)
    assert says in found
    assert found.startswith(f"k8s/{file}")


def test_ports_by_name_are_refused(production: Manifests) -> None:
    policy(production, "redis")["ingress"][0]["ports"][0]["port"] = "redis"
    assert any("use the number" in one for one in checks.found("network", production))
