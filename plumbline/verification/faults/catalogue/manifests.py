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
        Fault("compose-takes-other-ports", "a service in containers is asked at another port than it listens on",
                Patch(_COMPOSE, 'probe.py, "8001", /health]', 'probe.py, "8011", /health]'), {"manifests: compose": "backend: its health is asked at another port than 8001"}),
        Fault("compose-publishes-postgres", "Compose publishes the port of Postgres",
                Patch(_COMPOSE, "    shm_size: 128m\n", '    shm_size: 128m\n    ports: ["5432:5432"]\n'), {"manifests: compose": "postgres publishes 5432:5432"}),
        Fault("compose-publishes-to-network", "Compose publishes the front door to the network",
                Patch(_COMPOSE, "PLUMBLINE_PUBLISH_ADDRESS:-127.0.0.1", "PLUMBLINE_PUBLISH_ADDRESS:-0.0.0.0"), {"manifests: compose": "caddy publishes 0.0.0.0"}),
        Fault("compose-network-leads-out", "the containers can reach the internet",
                Patch(_COMPOSE, "inside: {internal: true}", "inside: {internal: false}"), {"manifests: compose": "the network inside is not internal"}),
        Fault("compose-keeps-capabilities", "the containers keep their capabilities",
                Patch(_COMPOSE, "  cap_drop: [ALL]\n", "  cap_drop: []\n"), {"manifests: compose": "cap_drop is []"}),
        Fault("compose-images-writable", "the containers may write to their images",
                Patch(_COMPOSE, "  read_only: true\n", "  read_only: false\n"), {"manifests: compose": "read_only is False"}),
        Fault("compose-gains-privileges", "the containers may gain privileges",
                Patch(_COMPOSE, '["no-new-privileges:true"]', "[]"), {"manifests: compose": "security_opt is []"}),
        Fault("compose-memory-differs", "a container may use more memory in Compose than in Kubernetes",
                Patch(_COMPOSE, "    mem_limit: 256m\n    memswap_limit: 256m\n    depends_on:",
                      "    mem_limit: 2g\n    memswap_limit: 2g\n    depends_on:"), {"manifests: compose": "256Mi of memory here and 2g on Compose"}),
        Fault("compose-does-not-restart", "what dies in Compose stays dead",
                Patch(_COMPOSE, "restart: unless-stopped", 'restart: "no"'), {'manifests: compose': "restart is 'no'; expected 'unless-stopped'"}),
        Fault("compose-starts-before-migrations", "the backend does not wait for the migrations",
                Patch(_COMPOSE, "    secrets: [postgres_password, token_secret, redis_password, internal_secret]\n"
                      "    depends_on:\n      redis: {condition: service_healthy}\n      migrate-data-processor: {condition: "
                      "service_completed_successfully}\n    healthcheck:\n      <<: *healthcheck\n      test: [CMD, sh, "
                      '/app/alive.sh, "6", python, -ISE, /app/probe.py, "8001"',
                      "    secrets: [postgres_password, token_secret, redis_password, internal_secret]\n"
                      "    depends_on:\n      redis: {condition: service_healthy}\n    healthcheck:\n      <<: *healthcheck\n"
                      '      test: [CMD, sh, /app/alive.sh, "6", python, -ISE, /app/probe.py, "8001"'), {"manifests: compose": "backend does not wait until migrate-data-processor"}),
        Fault("image-runs-as-root", "a service's image runs as root",
                Patch("docker/service/Dockerfile", "USER 10001:10001", "USER 0:0"), {"manifests: compose": "whom its image is made for"}),
        Fault("image-starts-something-else", "a service's image starts another command",
                Patch("docker/service/Dockerfile", 'CMD ["serve"]', 'CMD ["wait"]'), {"manifests: compose": "its image starts wait; expected serve"}),
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
