"""What the check of availability sees."""

from __future__ import annotations

from .parts import Break, data, deployment, doc, main, pod, without

TTL = "ttlSecondsAfterFinished"

BREAKS: list[Break] = [
    ("has one pod", lambda m: doc(m, "Deployment", "caddy")["spec"].update(replicas=1)),
    ("has no PodDisruptionBudget", lambda m: without(m, "PodDisruptionBudget", "caddy")),
    ("topologySpreadConstraints are", lambda m: pod(m, "caddy")["topologySpreadConstraints"].pop()),
    (
        "rollingUpdate: maxUnavailable is 1",
        lambda m: doc(m, "Deployment", "caddy")["spec"]["strategy"]["rollingUpdate"].update(maxUnavailable=1),
    ),
    ("preStop", lambda m: main(m, "caddy").pop("lifecycle")),
    (
        "topologySpreadConstraints are",
        lambda m: pod(m, "caddy")["topologySpreadConstraints"][0].pop("matchLabelKeys"),
    ),
    ("ttlSecondsAfterFinished has to be above 0", lambda m: doc(m, "Job", "migrate")["spec"].pop(TTL)),
    (
        "budget caddy: maxUnavailable is 0",
        lambda m: doc(m, "PodDisruptionBudget", "caddy")["spec"].update(maxUnavailable=0),
    ),
    (
        "budget backend: minAvailable is 2",
        lambda m: doc(m, "PodDisruptionBudget", "backend")["spec"].update(minAvailable=2),
    ),
    (
        "budget caddy: unhealthyPodEvictionPolicy is absent",
        lambda m: doc(m, "PodDisruptionBudget", "caddy")["spec"].pop("unhealthyPodEvictionPolicy"),
    ),
    (
        "has one pod",
        lambda m: doc(m, "HorizontalPodAutoscaler", "backend")["spec"].update(minReplicas=1),
    ),
    (
        "topologySpreadConstraints are",
        lambda m: pod(m, "caddy")["topologySpreadConstraints"][0].update(
            labelSelector={"matchLabels": {"app.kubernetes.io/component": "backend"}}
        ),
    ),
    ("is paused or suspended", lambda m: doc(m, "Job", "migrate")["spec"].update(suspend=True)),
    ("is paused or suspended", lambda m: deployment(m, "backend").update(paused=True)),
    (
        "rollingUpdate: maxSurge is 0",
        lambda m: deployment(m, "backend")["strategy"]["rollingUpdate"].update(maxSurge=0),
    ),
    (
        "topologySpreadConstraints are",
        lambda m: pod(m, "backend")["topologySpreadConstraints"][0].update(whenUnsatisfiable="DoNotSchedule"),
    ),
    (
        "topologySpreadConstraints are",
        lambda m: pod(m, "backend")["topologySpreadConstraints"].append(
            pod(m, "backend")["topologySpreadConstraints"][0] | {"topologyKey": "topology.kubernetes.io/zone"}
        ),
    ),
    ("affinity is None", lambda m: pod(m, "caddy").pop("affinity")),
    ("may run twice at the same time", lambda m: deployment(m, "redis").update(replicas=2)),
    ("may run twice at the same time", lambda m: deployment(m, "redis").pop("strategy")),
    (
        "preStop has to sleep 5 s",
        lambda m: main(m, "caddy")["lifecycle"]["preStop"]["exec"].update(command=["sleep", "1"]),
    ),
    ("tries 3 pods", lambda m: data(m, "caddy").update(PLUMBLINE_UPSTREAM_PATIENCE="3s")),
    ("a lost DNS answer", lambda m: pod(m, "caddy").pop("dnsConfig")),
    ("backoffLimit has to be above 0", lambda m: doc(m, "Job", "migrate")["spec"].update(backoffLimit=0)),
    ("restartPolicy has to be Never", lambda m: pod(m, "migrate").update(restartPolicy="OnFailure")),
    (
        "podFailurePolicy is absent",
        lambda m: doc(m, "Job", "migrate")["spec"].pop("podFailurePolicy"),
    ),
    (
        "budget backend: minAvailable is 1",
        lambda m: doc(m, "PodDisruptionBudget", "backend")["spec"].update(minAvailable=1),
    ),
    (
        "budget caddy: minAvailable is '90%'",
        lambda m: doc(m, "PodDisruptionBudget", "caddy").update(
            spec={"minAvailable": "90%", "selector": {"matchLabels": {"app.kubernetes.io/component": "caddy"}}}
        ),
    ),
    (
        "minReplicas is above maxReplicas",
        lambda m: doc(m, "HorizontalPodAutoscaler", "backend")["spec"].update(minReplicas=5),
    ),
    (
        "cronjob/backup: concurrencyPolicy is absent",
        lambda m: doc(m, "CronJob", "backup")["spec"].pop("concurrencyPolicy"),
    ),
    ("cronjob/backup is paused or suspended", lambda m: doc(m, "CronJob", "backup")["spec"].update(suspend=True)),
    (
        "cronjob/backup: startingDeadlineSeconds",
        lambda m: doc(m, "CronJob", "backup")["spec"].pop("startingDeadlineSeconds"),
    ),
    (
        "cronjob/backup: backoffLimit has to be above 0",
        lambda m: doc(m, "CronJob", "backup")["spec"]["jobTemplate"]["spec"].pop("backoffLimit"),
    ),
]
