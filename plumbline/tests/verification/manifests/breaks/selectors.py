"""What the check of selectors sees."""

from __future__ import annotations

from .parts import Break, doc, ingress, main, pod, policy, way_in

BREAKS: list[Break] = [
    # Selectors and ports
    (
        "does not select its own pods",
        lambda m: m.workload("caddy").labels.update({"app.kubernetes.io/component": "candy"}),
    ),
    (
        "selects the pods of 0 workloads",
        lambda m: doc(m, "Service", "front")["spec"].update(selector={"app": "caddy"}),
    ),
    (
        "nobody listens on its targetPort web",
        lambda m: doc(m, "Service", "front")["spec"]["ports"][0].update(targetPort="web"),
    ),
    (
        "nobody listens on its targetPort 8081",
        lambda m: doc(m, "Service", "front")["spec"]["ports"][0].update(targetPort=8081),
    ),
    (
        "targetPort ingest is UDP, not TCP",
        lambda m: doc(m, "Service", "log-sink")["spec"]["ports"][1].pop("protocol"),
    ),
    (
        "PodDisruptionBudget caddy",
        lambda m: doc(m, "PodDisruptionBudget", "caddy")["spec"].update(selector={"matchLabels": {"app": "caddy"}}),
    ),
    (
        "counts the pods of somebody else",
        lambda m: pod(m, "caddy")["topologySpreadConstraints"][0].update(
            labelSelector={"matchLabels": {"app.kubernetes.io/component": "backend"}}
        ),
    ),
    ("selects no pod", lambda m: policy(m, "redis").update(podSelector={"matchLabels": {"app": "redis"}})),
    (
        "there is no Deployment back-end",
        lambda m: doc(m, "HorizontalPodAutoscaler", "backend")["spec"]["scaleTargetRef"].update(name="back-end"),
    ),
    ("its autoscaler contradicts", lambda m: doc(m, "Deployment", "backend")["spec"].update(replicas=2)),
    (
        "there is no Service back",
        lambda m: doc(m, "Ingress", "front")["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"].update(
            name="back"
        ),
    ),
    (
        "no certificate for",
        lambda m: doc(m, "Ingress", "front")["spec"]["rules"][0].update(host="a.invalid"),
    ),
    (
        "has no port metrix",
        lambda m: doc(m, "PodMonitor", "plumbline")["spec"]["podMetricsEndpoints"][0].update(port="metrix"),
    ),
    ("is there twice", lambda m: main(m, "caddy")["ports"][1].update(containerPort=8080)),
    ("two of Service front", lambda m: m.documents.append(doc(m, "Service", "front"))),
    (
        "port 8001 leads to 8101",
        lambda m: main(m, "backend")["ports"][0].update(containerPort=8101),
    ),
    ("reached from outside", lambda m: doc(m, "Service", "redis")["spec"].update(type="NodePort")),
    (
        "statefulset/postgres: there is no Service pg",
        lambda m: doc(m, "StatefulSet", "postgres")["spec"].update(serviceName="pg"),
    ),
    (
        "backend is of apps/v1",
        lambda m: doc(m, "HorizontalPodAutoscaler", "backend")["spec"]["scaleTargetRef"].update(apiVersion="apps/v2"),
    ),
    ("no certificate for every host", lambda m: ingress(m)["spec"]["rules"][0].pop("host")),
    ("said for which host", lambda m: ingress(m)["spec"]["rules"][0].update(host="plumbline.invalid")),
    ("only a part of all paths", lambda m: way_in(m).update(path="/api")),
    (
        "leads past the front door",
        lambda m: way_in(m)["backend"].update(service={"name": "caddy", "port": {"name": "internal"}}),
    ),
    (
        "smaller bodies",
        lambda m: ingress(m)["metadata"]["annotations"].pop("nginx.ingress.kubernetes.io/proxy-body-size"),
    ),
    (
        "cuts off quiet sockets",
        lambda m: ingress(m)["metadata"]["annotations"].pop("nginx.ingress.kubernetes.io/proxy-read-timeout"),
    ),
    (
        "holds back live tails",
        lambda m: ingress(m)["metadata"]["annotations"].pop("nginx.ingress.kubernetes.io/proxy-buffering"),
    ),
    (
        "alert PlumblinePartUnavailable: nothing is called back-end",
        lambda m: doc(m, "PrometheusRule", "plumbline")["spec"]["groups"][0]["rules"][0].update(
            expr='kube_deployment_status_replicas_available{deployment=~"caddy|back-end"} == 0'
        ),
    ),
]
