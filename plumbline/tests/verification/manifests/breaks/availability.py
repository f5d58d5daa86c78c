"""What the check of availability sees."""

from __future__ import annotations

from .parts import Break, deployment, doc, main, pod, without

TTL = "ttlSecondsAfterFinished"

BREAKS: list[Break] = [
    ("has one pod", lambda m: doc(m, "Deployment", "caddy")["spec"].update(replicas=1)),
    ("has no PodDisruptionBudget", lambda m: without(m, "PodDisruptionBudget", "caddy")),
    ("not spread", lambda m: pod(m, "caddy")["topologySpreadConstraints"].pop()),
    (
        "takes pods away",
        lambda m: doc(m, "Deployment", "caddy")["spec"]["strategy"]["rollingUpdate"].update(maxUnavailable=1),
    ),
    ("preStop", lambda m: main(m, "caddy").pop("lifecycle")),
    (
        "a rollout is about to take away",
        lambda m: pod(m, "caddy")["topologySpreadConstraints"][0].pop("matchLabelKeys"),
    ),
    ("has no ttlSecondsAfterFinished", lambda m: doc(m, "Job", "migrate")["spec"].pop(TTL)),
    (
        "cannot be drained",
        lambda m: doc(m, "PodDisruptionBudget", "caddy")["spec"].update(maxUnavailable=0),
    ),
    (
        "lets no pod of deployment/backend go",
        lambda m: doc(m, "PodDisruptionBudget", "backend")["spec"].update(minAvailable=2),
    ),
    (
        "protects pods that do not work",
        lambda m: doc(m, "PodDisruptionBudget", "caddy")["spec"].pop("unhealthyPodEvictionPolicy"),
    ),
    (
        "has one pod",
        lambda m: doc(m, "HorizontalPodAutoscaler", "backend")["spec"].update(minReplicas=1),
    ),
    ("is halted", lambda m: doc(m, "Job", "migrate")["spec"].update(suspend=True)),
    ("is halted", lambda m: deployment(m, "backend").update(paused=True)),
    (
        "neither add a pod",
        lambda m: deployment(m, "backend")["strategy"]["rollingUpdate"].update(maxSurge=0),
    ),
    (
        "does not start where it cannot be spread",
        lambda m: pod(m, "backend")["topologySpreadConstraints"][1].update(whenUnsatisfiable="DoNotSchedule"),
    ),
    ("may run twice at a time", lambda m: deployment(m, "redis").update(replicas=2)),
    ("may run twice at a time", lambda m: deployment(m, "redis").pop("strategy")),
    (
        "preStop that sleeps for 5 s",
        lambda m: main(m, "caddy")["lifecycle"]["preStop"]["exec"].update(command=["sleep", "1"]),
    ),
    ("a lost answer of the DNS", lambda m: pod(m, "caddy").pop("dnsConfig")),
    ("is tried only once", lambda m: doc(m, "Job", "migrate")["spec"].update(backoffLimit=0)),
    ("restartPolicy Never", lambda m: pod(m, "migrate").update(restartPolicy="OnFailure")),
    (
        "is tried again after exit code 78",
        lambda m: doc(m, "Job", "migrate")["spec"].pop("podFailurePolicy"),
    ),
    (
        "just one of minAvailable and maxUnavailable",
        lambda m: doc(m, "PodDisruptionBudget", "backend")["spec"].update(minAvailable=1),
    ),
    (
        "lets no pod of deployment/caddy go",
        lambda m: doc(m, "PodDisruptionBudget", "caddy").update(
            spec={"minAvailable": "90%", "selector": {"matchLabels": {"app.kubernetes.io/component": "caddy"}}}
        ),
    ),
    (
        "more pods at least than at most",
        lambda m: doc(m, "HorizontalPodAutoscaler", "backend")["spec"].update(minReplicas=5),
    ),
]
