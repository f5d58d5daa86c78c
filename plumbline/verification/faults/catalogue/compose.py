"""Faults of the Compose file, of what containers are told, and of what images are built from."""

from __future__ import annotations

from plumbline.verification.faults.areas import Area
from plumbline.verification.faults.fault import Fault, Patch

_COMPOSE = "docker/compose.yaml"
_START = "docker/postgres/start.sh"
_CHECK = "manifests: compose"
_OF_POSTGRES = "    shm_size: 128m\n"
_REDIS_SECRETS = "    secrets: [redis_password]\n"


def _fault(name: str, what: str, file: str, old: str, new: str, says: str) -> Fault:
    return Fault(name, what, Patch(file, old, new, ()), {_CHECK: says})


AREA = Area(
    "compose",
    static="manifests",
    faults=(
        _fault("compose-image-latest", "a container runs whatever image is the latest", _COMPOSE,
               "image: plumbline/redis:${PLUMBLINE_TAG:-local}", "image: plumbline/redis:latest",
               "redis: image is 'plumbline/redis:latest'"),
        _fault("compose-base-latest", "an image is built from whatever Redis is the latest", _COMPOSE,
               "PLUMBLINE_REDIS_IMAGE:-redis:8.0", "PLUMBLINE_REDIS_IMAGE:-redis:latest", "expected a version"),
        _fault("compose-other-postgres", "the database is of another major version in containers", _COMPOSE,
               "PLUMBLINE_POSTGRES_IMAGE:-postgres:16.14", "PLUMBLINE_POSTGRES_IMAGE:-postgres:17.2", "expected Postgres 16"),
        _fault("compose-logs-grow", "logs of containers grow without limit", _COMPOSE,
               'max-size: 10m, max-file: "3", ', "", "redis: logging is"),
        _fault("compose-logs-block", "requests wait for an engine that writes logs slowly", _COMPOSE,
               "mode: non-blocking, max-buffer-size: 4m", "mode: blocking", "redis: logging is"),
        _fault("compose-processes-unlimited", "a container may start any number of processes", _COMPOSE,
               "pids_limit: 256", "pids_limit: -1", "redis: pids_limit is -1"),
        _fault("compose-memory-swapped", "memory of a container is swapped to disk", _COMPOSE,
               "  memswap_limit: 512m\n", "  memswap_limit: 2g\n", "memswap_limit is 2g"),
        _fault("compose-killed-while-stopping", "the database is killed while it stops", _COMPOSE,
               "    stop_grace_period: 30s\n", "    stop_grace_period: 2s\n", "postgres: stop_grace_period is '2s'"),
        _fault("compose-health-rarely-asked", "the health of containers is asked every five minutes", _COMPOSE,
               "  interval: 5s\n", "  interval: 5m\n", "redis: interval of its health check is 5m"),
        _fault("compose-hang-not-ended", "a container that hangs is not ended for hours", _COMPOSE,
               'alive.sh, "6", /opt/plumbline/redis.sh', 'alive.sh, "6000", /opt/plumbline/redis.sh',
               "redis: its health check is CMD sh /app/alive.sh 6000"),
        _fault("compose-health-without-database", "a service counts as healthy while its database is away", _COMPOSE,
               '"8001", /health]', '"8001", /health/live]', "backend: its health check is"),
        _fault("compose-secret-too-many", "a container gets a secret that it does not read", _COMPOSE,
               _REDIS_SECRETS, "    secrets: [redis_password, token_secret]\n", "redis is given the secret token_secret"),
        _fault("compose-secret-in-environment", "a container has a secret in its environment", _COMPOSE,
               f"      PLUMBLINE_REDIS_PASSWORD_FILE: /run/secrets/redis_password\n{_REDIS_SECRETS}",
               "      PLUMBLINE_REDIS_PASSWORD_FILE: /run/secrets/redis_password\n      REDIS_PASSWORD: hunter2hunter2\n"
               f"{_REDIS_SECRETS}", "redis is told REDIS_PASSWORD"),
        _fault("compose-secrets-swapped", "one secret's file serves as another", _COMPOSE,
               "/token_secret\n  token_secret_also:", "/internal_secret\n  token_secret_also:",
               "expected one called token_secret"),
        _fault("compose-data-in-memory", "the database is lost with its container", _COMPOSE,
               '    volumes: ["postgres-data:/var/lib/postgresql/data"]\n    tmpfs: [',
               '    tmpfs: ["/var/lib/postgresql/data:size=1g", ', "postgres: volumes is None"),
        _fault("compose-privileged", "a container has every right of the machine", _COMPOSE,
               _OF_POSTGRES, f"{_OF_POSTGRES}    privileged: true\n", "postgres: has the option privileged"),
        _fault("compose-user-root", "a container runs as root", _COMPOSE,
               _OF_POSTGRES, f'{_OF_POSTGRES}    user: "0:0"\n', "postgres: has the option user"),
        _fault("compose-host-network", "a container is on the network of the machine", _COMPOSE,
               _OF_POSTGRES, f"{_OF_POSTGRES}    network_mode: host\n", "postgres: has the option network_mode"),
        _fault("compose-reaches-engine", "a container can control the engine", _COMPOSE,
               "    secrets: [internal_secret]\n",
               "    secrets: [internal_secret]\n    volumes: [/var/run/docker.sock:/var/run/docker.sock]\n",
               "caddy: has the option volumes"),
        _fault("compose-publishes-internal-port", "the port for log entries is published", _COMPOSE,
               ':8080"]', ':8080", "127.0.0.1:9000:9000"]', "caddy publishes"),
        _fault("compose-one-server-process", "a service runs one server process in containers", "docker/defaults/backend.env",
               "PLUMBLINE_WORKERS=2", "PLUMBLINE_WORKERS=1", "backend is told PLUMBLINE_WORKERS=1; expected 2"),
        _fault("compose-logs-everything", "services in containers log at level debug", "docker/defaults/stack.env",
               "PLUMBLINE_HOST=0.0.0.0", "PLUMBLINE_HOST=0.0.0.0\nPLUMBLINE_LOG_LEVEL=debug",
               "log-sink is told PLUMBLINE_LOG_LEVEL=debug"),
        _fault("compose-entries-lead-nowhere", "services in containers forward no log entries", "docker/defaults/services.env",
               "PLUMBLINE_LOG_FORWARD_URL=http://caddy:9000/ingest", "PLUMBLINE_LOG_FORWARD_URL=",
               "backend is told PLUMBLINE_LOG_FORWARD_URL=; expected http://caddy:9000/ingest"),
        _fault("compose-identity-constant", "every deployment in containers has the same identity", _COMPOSE,
               "PLUMBLINE_STACK_ID: ${PLUMBLINE_STACK_ID:-by-hand}", "PLUMBLINE_STACK_ID: by-hand",
               "backend is told PLUMBLINE_STACK_ID=by-hand"),
        _fault("compose-migrates-too-early", "migrations do not wait until the database answers", _COMPOSE,
               "      postgres: {condition: service_healthy}", "      postgres: {condition: service_started}",
               "migrate-backend does not wait until postgres is service_healthy"),
        _fault("image-lets-everyone-log-in", "the database in containers asks no password", _START,
               "host  all all all  scram-sha-256", "host  all all all  trust", "lets clients in by trust"),
        _fault("image-without-fsync", "the database in containers does not wait for the disk", _START,
               "-c log_min_duration_statement=1s", "-c fsync=off -c log_min_duration_statement=1s",
               "starts Postgres with fsync=off"),
        _fault("image-opens-data", "other accounts can read the data of a new database in containers", _START,
               "umask 077", "umask 022", "does not set umask 077"),
        _fault("image-holds-secret", "an image holds a secret", "docker/service/Dockerfile",
               "PYTHONDONTWRITEBYTECODE=1", "PYTHONDONTWRITEBYTECODE=1 PLUMBLINE_TOKEN_SECRET=abcdefghabcdefgh",
               "sets PLUMBLINE_TOKEN_SECRET"),
        _fault("image-stops-hard", "the database in containers is stopped like by a crash", "docker/postgres/Dockerfile",
               "STOPSIGNAL SIGINT", "STOPSIGNAL SIGQUIT", "STOPSIGNAL is ['SIGQUIT']"),
        _fault("image-redis-saves", "Redis in containers writes snapshots", "docker/redis/redis.conf",
               'save ""', "save 60 1", "redis: save is 60 1"),
    ),
)  # fmt: skip
