"""What the check of selectors sees."""

from __future__ import annotations

from .parts import Break, doc, ingress, main, policy, way_in

BREAKS: list[Break] = [
    # Selectors and ports
    (
        "does not select its own pods",
        lambda m: m.workload("caddy").labels.update({"app.kubernetes.io/component": "candy"}),
    ),
    (
        "selects 0 workloads",
        lambda m: doc(m, "Service", "front")["spec"].update(selector={"app": "caddy"}),
    ),
    (
        "targetPort web does not lead",
        lambda m: doc(m, "Service", "front")["spec"]["ports"][0].update(targetPort="web"),
    ),
    (
        "targetPort 8081 does not lead",
        lambda m: doc(m, "Service", "front")["spec"]["ports"][0].update(targetPort=8081),
    ),
    (
        "port 9001/TCP with targetPort ingest",
        lambda m: doc(m, "Service", "log-sink")["spec"]["ports"][1].pop("protocol"),
    ),
    (
        "PodDisruptionBudget caddy",
        lambda m: doc(m, "PodDisruptionBudget", "caddy")["spec"].update(selector={"matchLabels": {"app": "caddy"}}),
    ),
    ("selects no pod", lambda m: policy(m, "redis").update(podSelector={"matchLabels": {"app": "redis"}})),
    (
        "there is no Deployment back-end",
        lambda m: doc(m, "HorizontalPodAutoscaler", "backend")["spec"]["scaleTargetRef"].update(name="back-end"),
    ),
    ("its autoscaler contradicts", lambda m: doc(m, "Deployment", "backend")["spec"].update(replicas=2)),
    (
        "'name': 'back'",
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
    ("Service front has no port front", lambda m: doc(m, "Service", "front")["spec"]["ports"][0].update(name="web")),
    (
        "port 8001/TCP with targetPort http",
        lambda m: main(m, "backend")["ports"][0].update(containerPort=8101),
    ),
    ("reached from outside", lambda m: doc(m, "Service", "redis")["spec"].update(type="NodePort")),
    (
        "statefulset/postgres: there is no Service pg",
        lambda m: doc(m, "StatefulSet", "postgres")["spec"].update(serviceName="pg"),
    ),
    (
        "there is no Deployment backend of apps/v2",
        lambda m: doc(m, "HorizontalPodAutoscaler", "backend")["spec"]["scaleTargetRef"].update(apiVersion="apps/v2"),
    ),
    ("no certificate for every host", lambda m: ingress(m)["spec"]["rules"][0].pop("host")),
    (
        "host name that the overlay has to set",
        lambda m: ingress(m)["spec"]["rules"][0].update(host="plumbline.invalid"),
    ),
    ("'path': '/api'", lambda m: way_in(m).update(path="/api")),
    (
        "'name': 'internal'",
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
