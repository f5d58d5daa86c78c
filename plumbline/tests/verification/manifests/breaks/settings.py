"""What the check of settings sees."""

from __future__ import annotations

from .parts import Break, data, main, pod

BREAKS: list[Break] = [
    ("reads no setting PLUMBLINE_POOLSIZE", lambda m: data(m, "services").update(PLUMBLINE_POOLSIZE="4")),
    ("plumbline/caddy reads no setting", lambda m: data(m, "caddy").update(PLUMBLINE_FRONT="8080")),
    ("PLUMBLINE_INGEST_PORT is missing", lambda m: data(m, "log-sink").pop("PLUMBLINE_INGEST_PORT")),
    ("where no secret is mounted", lambda m: data(m, "services").update(PLUMBLINE_TOKEN_SECRET_FILE="/x")),
    (
        "there is no Service redis-master",
        lambda m: data(m, "stack").update(PLUMBLINE_REDIS_URL="redis://redis-master:6379/0"),
    ),
    ("Service backend has no such port", lambda m: data(m, "caddy").update(PLUMBLINE_BACKEND="backend:80")),
    ("there is no such Service", lambda m: data(m, "services").update(PLUMBLINE_POSTGRES_HOST="database")),
    (
        "requests: PLUMBLINE_UPSTREAM_PATIENCE",
        lambda m: data(m, "caddy").pop("PLUMBLINE_UPSTREAM_PATIENCE"),
    ),
    (
        "requests: PLUMBLINE_SHUTDOWN_DELAY",
        lambda m: data(m, "caddy").update(PLUMBLINE_SHUTDOWN_DELAY="0s"),
    ),
    ("address of the ingress", lambda m: data(m, "caddy").pop("PLUMBLINE_FRONT_TRUSTED_PROXIES")),
    ("cookies without TLS, too", lambda m: data(m, "backend").update(PLUMBLINE_COOKIE_SECURE="false")),
    ("not integer", lambda m: data(m, "services").update(PLUMBLINE_POOL_SIZE="four")),
    ("not true or false", lambda m: data(m, "backend").update(PLUMBLINE_COOKIE_SECURE="yes")),
    ("PGSSLMODE is 'required'", lambda m: data(m, "services").update(PGSSLMODE="required")),
    ("listens on 8009", lambda m: data(m, "backend").update(PLUMBLINE_PORT="8009")),
    ("PLUMBLINE_STACK_ID is missing", lambda m: data(m, "stack").pop("PLUMBLINE_STACK_ID")),
    (
        "operator_password, and no setting names it",
        lambda m: pod(m, "backend")["volumes"][0]["secret"]["items"].append(
            {"key": "operator_password", "path": "operator_password"}
        ),
    ),
    (
        "cronjob/backup backup: plumbline/postgres reads no setting PLUMBLINE_X",
        lambda m: main(m, "backup")["env"].append({"name": "PLUMBLINE_X", "value": "1"}),
    ),
]
