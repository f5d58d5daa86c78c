"""Faults of the Compose file, the images and the Kubernetes manifests, which are checked as files."""

from __future__ import annotations

from plumbline.verification.faults.areas import Area
from plumbline.verification.faults.fault import Fault, Patch

_COMPOSE = "docker/compose.yaml"
_BACKEND = "k8s/base/backend/deployment.yaml"

AREA = Area(
    "containers",
    static="manifests",
    faults=(
        Fault("compose-memory-differs", "a container may use more memory in Compose than in Kubernetes",
                Patch(_COMPOSE, "    mem_limit: 256m\n    memswap_limit: 256m\n    depends_on:",
                      "    mem_limit: 2g\n    memswap_limit: 2g\n    depends_on:"), {"manifests: compose": "256Mi of memory here and 2g on Compose"}),
        Fault("image-runs-as-root", "a service's image runs as root",
                Patch("docker/service/Dockerfile", "USER 10001:10001", "USER 0:0"), {"manifests: compose": "whom its image is made for"}),
        Fault("default-written-twice", "a default of containers stands in two places and differs",
                Patch(_COMPOSE, "  PLUMBLINE_STACK_ID: ${", "  PLUMBLINE_WORKERS: 4\n  PLUMBLINE_STACK_ID: ${"), {'manifests: compose': "PLUMBLINE_WORKERS is '2' here and '4' on Compose"}),
        Fault("setting-unknown-to-service", "a service in containers is told a setting that it does not know",
                Patch("docker/defaults/backend.env", "PLUMBLINE_PORT=8001", "PLUMBLINE_PORT=8001\nPLUMBLINE_SPEED=9"), {"manifests: settings": "reads no setting PLUMBLINE_SPEED"}),
        Fault("pod-runs-as-root", "a pod runs as root",
                Patch(_BACKEND, "        runAsUser: 10001\n", "        runAsUser: 0\n"), {"manifests: hardening": "may run as root"}),
        Fault("pod-keeps-capabilities", "a pod keeps its capabilities",
                Patch(_BACKEND, "            capabilities: {drop: [ALL]}\n", "            capabilities: {drop: [NET_RAW]}\n"), {"manifests: hardening": "keeps capabilities"}),
        Fault("pod-mounts-token", "a pod can talk to the cluster's interface",
                Patch(_BACKEND, "      automountServiceAccountToken: false\n", "      automountServiceAccountToken: true\n"), {"manifests: hardening": "mounts a token"}),
        Fault("secret-readable-in-pod", "every account in a pod can read its secrets",
                Patch(_BACKEND, "defaultMode: 0440", "defaultMode: 0444"), {"manifests: hardening": "everybody in the container can read secret volume secrets"}),
        Fault("pod-mounts-another-secret", "a pod gets a secret that it has no use for",
                Patch(_BACKEND, "              - {key: internal_secret, path: internal_secret}\n",
                      "              - {key: internal_secret, path: internal_secret}\n"
                      "              - {key: operator_password, path: operator_password}\n"), {"manifests: settings": "operator_password, and needs it for nothing"}),
        Fault("probe-asks-elsewhere", "the probe of a pod asks an address that there is not",
                Patch(_BACKEND, "            httpGet: {path: /health, port: http}", "            httpGet: {path: /healthz, port: http}"),
                {"manifests: probes": "has no route GET /healthz"}),
        Fault("readiness-asks-database", "all pods leave the service when the database is away",
                Patch(_BACKEND, "          readinessProbe:\n            httpGet: {path: /health/live, port: http}",
                      "          readinessProbe:\n            httpGet: {path: /health, port: http}"), {"manifests: probes": "its readiness must not depend on others"}),
        Fault("pod-killed-while-it-stops", "a pod is killed before it has ended",
                Patch(_BACKEND, "terminationGracePeriodSeconds: 30", "terminationGracePeriodSeconds: 6"), {"manifests: compose": "terminationGracePeriodSeconds below 20"}),
        Fault("memory-limit-differs", "a pod may use less memory than in Compose",
                Patch(_BACKEND, 'limits: {cpu: "2", memory: 512Mi}', 'limits: {cpu: "2", memory: 384Mi}'), {"manifests: compose": "384Mi of memory here and 512m on Compose"}),
        Fault("service-selects-nothing", "a Service selects no pod",
                Patch("k8s/base/backend/service.yaml", "selector: {app.kubernetes.io/component: backend}",
                      "selector: {app.kubernetes.io/component: back-end}"), {"manifests: selectors": "selects the pods of 0 workloads"}),
        Fault("pods-start-before-schema", "pods do not wait for the schema",
                Patch(_BACKEND, ', plumbline/needs-schema: "true"}', "}"), {"manifests: order": "does not wait for migrate-backend"}),
        Fault("two-redis", "two Redis run beside each other, each with half of the events",
                Patch("k8s/base/redis/deployment.yaml", "spec:\n  replicas: 1", "spec:\n  replicas: 2"), {"manifests: availability": "may run twice at a time"}),
    ),
)  # fmt: skip
