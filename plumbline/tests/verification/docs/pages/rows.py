"""Numbers on pages, and what each is in the product. A number that is in no row here fails test_every_number.py."""

from __future__ import annotations

import json

from servicekit import facts

from benchmarks.door import part as door
from benchmarks.routes import part as routes
from plumbline import ROOT, diagnose, preflight, recorder, terminal
from plumbline.backups import commands
from plumbline.components import CADDY, POSTGRES, WORKER
from plumbline.https import authority
from plumbline.targets.compose import engine
from plumbline.targets.embedded import condition, liveness, supervisor, watch
from plumbline.targets.kubernetes import kubectl
from plumbline.verification import growth

from .values import Value, constant, of, setting, written

SAID = {
    "LOG_CAP": r"(?:last|newest|more than) (\d+)(?= (?:warnings|entries|of all|wait|of each)|<)|of the (\d+)[., ]",
    "POSTGRES_MAJOR": r"(?i:postgres(?:ql)?[ :])(\d\d)\b",
    "FRONT_PORT": r"http://127\.0\.0\.1:(\d+)",
}
"""Fact to the words that a page says it in."""
BACKEND = "services/backend/backend"
PROCESSOR, KIT = "services/data-processor/data_processor", "services/servicekit/servicekit"
CADDYFILE, COMPOSE = "docker/caddy/Caddyfile", "docker/compose.yaml"
MINUTE, HOUR, DAY = 60, 3600, 24 * 3600
FRAME = setting("backend", "PLUMBLINE_FRAME_MAX_BYTES").per(1024)
SESSION = setting("backend", "PLUMBLINE_SESSION_TTL_S").per(HOUR)
PAGE_MAX = constant(f"{BACKEND}/schemas.py", "PAGE_MAX")
SLOW = setting("data-processor", "PLUMBLINE_SLOW_PER_USER")
CODES = {
    name: constant(f"{BACKEND}/live/hub.py", name)
    for name in ("MESSAGE_TOO_BIG", "SERVICE_RESTART", "TRY_AGAIN_LATER", "SESSION_ENDED")
}
NOT_RUNNING = of(terminal.EXIT_NOT_RUNNING, "EXIT_NOT_RUNNING in plumbline/terminal.py")
MODE = Value("0600", "plumbline/secret_files.py")
PYTHON = of(preflight.PYTHON_MINIMUM[1], "PYTHON_MINIMUM in plumbline/preflight.py")
DISK = of(preflight.DISK_MINIMUM_BYTES >> 30, "DISK_MINIMUM_BYTES in plumbline/preflight.py")
_FIRST_BOX = json.loads((ROOT / "docs/examples/invoice.json").read_text())["labels"][0]["bounding_box"]
_BACK_OFF = written("k8s/base/migrate/job.yaml", r"backoffLimit: (\d+)")
WINDOW = setting("backend", "PLUMBLINE_LOGIN_WINDOW_S").per(MINUTE)
HANGS = of(CADDY.hangs_after_s, "hangs_after_s in plumbline/components.py").per(MINUTE)
KEPT_BACKUPS = of(commands.KEEP, "KEEP in plumbline/backups/commands.py")
WATCHED = of(liveness.HEARTBEAT_S + WORKER.hangs_after_s, "HEARTBEAT_S in liveness.py, after hangs_after_s")
Row = tuple[str, str, *tuple[Value, ...]]
SILENCE = setting("data-processor", "PLUMBLINE_JOB_STALL_S")
RATES = ("benchmarks/interference/part.py", r"RATES = \((.+), .+\)", r"RATES = \(.+, (.+)\)")
ROWS: list[Row] = [
    (
        "docs/unified-schema.md",
        "runs it with {}, {}, {} and {} rows in every table",
        *(of(size, "SIZES in plumbline/verification/growth.py") for size in growth.SIZES),
    ),
    ("README.md", "about {} GiB of disk", DISK),
    ("README.md", "Python 3.{} or newer with `venv`", of(preflight.PYTHON_MINIMUM[1], "plumbline/preflight.py")),
    ("CONTRIBUTING.md", "Python 3.{} or newer with `venv`", of(preflight.PYTHON_MINIMUM[1], "plumbline/preflight.py")),
    (
        "docs/calls.md",
        "`?limit=` ({} to {}, default {})",
        of(1, "schemas.py"),
        PAGE_MAX,
        written(f"{BACKEND}/routes/messages.py", r"limit: Limit = (\d+)"),
    ),
    (
        "docs/calls.md",
        "If it takes longer than {} s it is refused",
        constant(f"{BACKEND}/database.py", "DELETION_TIMEOUT_S"),
    ),
    (
        "docs/calls.md",
        (
            "closed with {} after a frame of more than {} KiB, {} when the server restarts or the socket may have "
            "missed an event, {} when the client"
        ),
        CODES["MESSAGE_TOO_BIG"],
        FRAME,
        CODES["SERVICE_RESTART"],
        CODES["TRY_AGAIN_LATER"],
    ),
    ("docs/calls.md", "and {} when the session ends", CODES["SESSION_ENDED"]),
    (
        "docs/containers.md",
        "Docker Engine {}.{} or newer, Compose {}.{} or newer",
        *(
            of(number, "plumbline/targets/compose/engine.py")
            for number in (*engine.ENGINE_MINIMUM, *engine.COMPOSE_MINIMUM)
        ),
    ),
    (
        "docs/containers.md",
        "after {} checks in a row without an answer ({} minute)",
        written(COMPOSE, r'alive\.sh, "(\d)", python'),
        Value("a", ""),
    ),
    (
        "docs/containers.md",
        "For Postgres it takes {} checks ({} minutes)",
        written(COMPOSE, r'alive\.sh, "(\d\d)"'),
        of(POSTGRES.hangs_after_s, "plumbline/components.py").per(MINUTE),
    ),
    ("docs/containers.md", "gets {} times as long", written("docker/alive.sh", r"limit=\$\(\(limit \* (\d+)\)\)")),
    (
        "docs/kubernetes.md",
        "a cluster of 1.{} or newer",
        of(kubectl.OLDEST[1], "plumbline/targets/kubernetes/kubectl.py"),
    ),
    (
        "docs/kubernetes.md",
        "wait for that, {} minutes at a time",
        setting("backend", "PLUMBLINE_SCHEMA_WAIT_S").per(MINUTE),
    ),
    (
        "docs/kubernetes.md",
        "Caddy starts last, or after {} minutes",
        written("k8s/base/caddy/deployment.yaml", r"until=\$\(\(\$\(date \+%s\) \+ (\d+)\)\)").per(MINUTE),
    ),
    (
        "docs/kubernetes.md",
        "an autoscaled service can have up to {} pods",
        written("k8s/components/autoscaling/horizontalpodautoscaler-backend.yaml", r"maxReplicas: (\d+)"),
    ),
    (
        "docs/kubernetes.md",
        "Postgres takes {} connections",
        written("k8s/base/postgres/statefulset.yaml", r"max_connections=(\d+)"),
    ),
    (
        "docs/kubernetes.md",
        "A pod waits {} seconds until no traffic",
        written("k8s/base/backend/deployment.yaml", r'sleep, "(\d+)"'),
    ),
    ("docs/kubernetes.md", "is given up after {} second", written(CADDYFILE, r"dial_timeout (\d+)s\n\t\tresponse")),
    ("docs/kubernetes.md", "closes every WebSocket ({})", CODES["SERVICE_RESTART"]),
    (
        "docs/kubernetes.md",
        "Caddy waits {} seconds more",
        written("k8s/base/caddy.env", r"PLUMBLINE_SHUTDOWN_DELAY=(\d+)s"),
    ),
    (
        "docs/kubernetes.md",
        "is retried for {} seconds",
        written("k8s/base/caddy.env", r"PLUMBLINE_UPSTREAM_PATIENCE=(\d+)s"),
    ),
    ("docs/one-machine.md", "You need {} GiB of free disk", DISK),
    (
        "docs/one-machine.md",
        "Python 3.{} to 3.{} with",
        PYTHON,
        written("deploy-local.sh", r"candidates=\(python3 python3\.(\d+)"),
    ),
    ("docs/one-machine.md", "one file per secret, mode {}", MODE),
    (
        "docs/one-machine.md",
        "at most {} MB each, with {} old ones",
        of(supervisor.LOG_MAX_BYTES >> 20, "LOG_MAX_BYTES in supervisor.py"),
        of(supervisor.LOG_FILES_KEPT - 1, "LOG_FILES_KEPT in supervisor.py"),
    ),
    ("docs/one-machine.md", "the last {} [bundles]", of(diagnose.MAX_BUNDLES, "MAX_BUNDLES in plumbline/diagnose.py")),
    (
        "docs/one-machine.md",
        "| its server processes | {} seconds |",
        of(45, "UNHEARD_MAX and MISSED_MAX in servicekit/lifeline.py"),
    ),
    (
        "docs/one-machine.md",
        "| Postgres | the watch | about {} minutes |",
        of(POSTGRES.hangs_after_s, "plumbline/components.py").per(MINUTE),
    ),
    (
        "docs/one-machine.md",
        "Every {} seconds it sends each component a request",
        of(watch.EVERY_S, "EVERY_S in watch.py"),
    ),
    (
        "docs/one-machine.md",
        "with exit code {}, if it hangs, if it ended {} times within {} minutes",
        NOT_RUNNING,
        of(condition.ENDS_MAX, "ENDS_MAX in condition.py"),
        of(condition.WINDOW.seconds, "WINDOW in condition.py").per(MINUTE),
    ),
    (
        "docs/recorder.md",
        "take at most {} of the {} entries",
        of(2 * facts.FAULTS_KEPT, "FAULTS_KEPT in servicekit/facts.py"),
        of(facts.LOG_CAP, "LOG_CAP in servicekit/facts.py"),
    ),
    (
        "docs/recorder.md",
        "At most {} KiB per entry",
        of(facts.ENTRY_MAX_BYTES, "ENTRY_MAX_BYTES in servicekit/facts.py").per(1024),
    ),
    (
        "docs/recorder.md",
        "The recorder keeps at most {} entries of each",
        of(facts.FAULTS_KEPT, "FAULTS_KEPT in servicekit/facts.py"),
    ),
    (
        "docs/recorder.md",
        "up to a burst of {} of a kind and then {} per second",
        constant(f"{KIT}/log/handler.py", "_BURST"),
        constant(f"{KIT}/log/handler.py", "_FAULTS_A_SECOND"),
    ),
    (
        "docs/recorder.md",
        "has the first {} (a traceback counts as {})",
        constant(f"{KIT}/log/handler.py", "_BURST"),
        constant(f"{KIT}/log/handler.py", "_TRACEBACK_COST"),
    ),
    ("docs/recorder.md", "a session lasts {} hours", SESSION),
    ("docs/security.md", "It lasts {} hours (`PLUMBLINE_SESSION_TTL_S`)", SESSION),
    ("docs/troubleshooting.md", "sessions last {} hours", SESSION),
    ("docs/security.md", "asks the database at most every {} seconds", constant(f"{KIT}/accounts.py", "FRESH_S")),
    (
        "docs/security.md",
        "by user name and address together ({}), by address ({}) and by user name ({})",
        setting("backend", "PLUMBLINE_LOGIN_ATTEMPTS"),
        setting("backend", "PLUMBLINE_LOGIN_ATTEMPTS_PER_ADDRESS"),
        setting("backend", "PLUMBLINE_LOGIN_ATTEMPTS_PER_NAME"),
    ),
    ("docs/security.md", "Two cases remain: {} failures for this name", setting("backend", "PLUMBLINE_LOGIN_ATTEMPTS")),
    (
        "docs/security.md",
        "A password has {} to {} characters",
        written(f"{BACKEND}/schemas.py", r"Password = .*min_length=(\d+)"),
        written(f"{BACKEND}/schemas.py", r"Password = .*max_length=(\d+)"),
    ),
    ("docs/security.md", "checks the first {} characters", constant(f"{BACKEND}/password_rules.py", "_CHECKED_LENGTH")),
    ("docs/security.md", "It runs in {} threads per process", constant(f"{BACKEND}/passwords.py", "_THREADS")),
    (
        "docs/security.md",
        "would wait longer than {} seconds gets 503",
        constant(f"{BACKEND}/passwords.py", "_MAX_WAIT_S"),
    ),
    (
        "docs/security.md",
        "at most {} registrations in {} minutes from one address",
        setting("backend", "PLUMBLINE_REGISTRATIONS_PER_ADDRESS"),
        setting("backend", "PLUMBLINE_REGISTRATION_WINDOW_S").per(MINUTE),
    ),
    (
        "docs/security.md",
        "valid for one registration within {} days",
        setting("backend", "PLUMBLINE_INVITE_TTL_S").per(DAY),
    ),
    ("docs/security.md", "| request headers | {} seconds |", written(CADDYFILE, r"read_header (\d+)s")),
    (
        "docs/security.md",
        "| a request body | {} seconds, plus one second per {} KiB received |",
        setting("caddy", "PLUMBLINE_FRONT_BODY_PATIENCE"),
        setting("caddy", "PLUMBLINE_FRONT_BODY_RATE").per(1024),
    ),
    (
        "docs/security.md",
        "| an answer that is not read | {} seconds |",
        setting("caddy", "PLUMBLINE_FRONT_READ_PATIENCE"),
    ),
    (
        "docs/security.md",
        "| the beginning of an answer | {} seconds; {} from the data-processor |",
        setting("caddy", "PLUMBLINE_UPSTREAM_TIMEOUT"),
        setting("caddy", "PLUMBLINE_DECODING_TIMEOUT"),
    ),
    ("docs/security.md", "| an idle connection | {} minutes |", written(CADDYFILE, r"\bidle (\d+)m")),
    (
        "docs/security.md",
        "One user can use {} for uploads, {} for other changes and {} for exports, one address {}",
        SLOW,
        SLOW,
        SLOW,
        setting("data-processor", "PLUMBLINE_SLOW_PER_ADDRESS"),
    ),
    (
        "docs/security.md",
        "for every allowed upload: {} MiB take",
        setting("data-processor", "PLUMBLINE_UPLOAD_MAX_BYTES").per(1 << 20),
    ),
    ("docs/troubleshooting.md", "*hangs: no answer within {} s*", of(condition.ANSWER_S, "ANSWER_S in condition.py")),
    (
        "docs/troubleshooting.md",
        "times in {} minutes*",
        of(condition.WINDOW.seconds, "WINDOW in condition.py").per(MINUTE),
    ),
    (
        "docs/troubleshooting.md",
        "The last {} are kept",
        of(diagnose.MAX_BUNDLES, "MAX_BUNDLES in plumbline/diagnose.py"),
    ),
    ("docs/architecture.md", "reports every {} seconds that", SILENCE.per(4)),
    ("docs/architecture.md", "If it is silent for {},", SILENCE),
    (
        "docs/backup.md",
        "deletes all but the newest {} that",
        KEPT_BACKUPS,
    ),
    ("docs/backup.md", "and keeps the newest {} of these", KEPT_BACKUPS),
    (
        "docs/baseline.md",
        "and may have {} MiB in all",
        written("services/baseline/baseline/documents.py", r"_FILES_MAX = .+, (\d+) \* 2\*\*20"),
    ),
    (
        "docs/benchmarks.md",
        "The target is at least {} %",
        of(round(routes.WANTED * 100), "WANTED in benchmarks/routes/part.py"),
    ),
    (
        "docs/benchmarks.md",
        "in a database of {} rows beside the same list in one of {},",
        written("benchmarks/batches/part.py", r"ELSEWHERE = \((.+), .+\)"),
        written("benchmarks/batches/part.py", r"ELSEWHERE = \(.+, (.+)\)"),
    ),
    (
        "docs/benchmarks.md",
        "the door may cost at most {} % of the answers",
        of(round(door.COST_MAX * 100), "COST_MAX in benchmarks/door/part.py"),
    ),
    ("docs/benchmarks.md", "service logs {} and {} warnings", written(*RATES[:2]), written(RATES[0], RATES[2])),
    ("docs/benchmarks.md", "At {} the difference", written(*RATES[:2])),
    ("docs/benchmarks.md", "at {} every warning", written(RATES[0], RATES[2])),
    ("docs/benchmarks.md", "events that {} sockets", constant("benchmarks/beside/part.py", "SOCKETS")),
    ("docs/glossary.md", "of one kind within {} minute", of(facts.FAULTS_FOLDED_S, "FAULTS_FOLDED_S").per(MINUTE)),
    (
        "docs/kubernetes.md",
        "The claim ({} GiB)",
        written("k8s/components/backups/persistentvolumeclaim.yaml", r"storage: (\d+)Gi"),
    ),
    ("docs/kubernetes.md", "another port than {},", of(POSTGRES.port.number, "plumbline/components.py")),
    (
        "docs/one-machine.md",
        "Python 3.{} to 3.{} with",
        PYTHON,
        written("pyproject.toml", r"(?s).*Python :: 3\.(\d+)"),
    ),
    (
        "docs/one-machine.md",
        "the watch | about {} seconds",
        WATCHED,
    ),
    (
        "docs/operation.md",
        "within {} seconds, `up` says so",
        of(authority._CERTIFICATE_S, "_CERTIFICATE_S in plumbline/https/authority.py"),
    ),
    ("docs/kubernetes.md", "tried again, {} times in all", of(1 + _BACK_OFF.number, "backoffLimit of the migrations")),
    (
        "docs/report.md",
        "more than {} seconds has one line",
        constant("plumbline/verification/plugins/progress.py", "_AFTER_S"),
    ),
    ("docs/recorder.md", "At {} warnings per second", written(*RATES[:2])),
    ("docs/recorder.md", "At {}, the stack stays up", written(RATES[0], RATES[2])),
    ("docs/recorder.md", "prepare the newest {},", of(facts.LOG_CAP, "LOG_CAP in servicekit/facts.py")),
    ("docs/recorder.md", "uncounted: at most {} of", of(facts.LOG_CAP, "LOG_CAP in servicekit/facts.py")),
    (
        "docs/one-machine.md",
        "or Caddy | the watch | about {} minute",
        HANGS,
    ),
    ("docs/recorder.md", "within {} minute are only", of(facts.FAULTS_FOLDED_S, "FAULTS_FOLDED_S").per(MINUTE)),
    (
        "docs/recorder.md",
        "the same text once {} minute at most",
        constant("services/log-sink/log_sink/self_log.py", "REPEAT_S").per(MINUTE),
    ),
    (
        "docs/security.md",
        "logins are counted for {} minute",
        setting("backend", "PLUMBLINE_LOGIN_WINDOW_S").per(MINUTE),
    ),
    ("docs/security.md", "block it there for {} minute", WINDOW),
    (
        "docs/security.md",
        "at the latest after {} minute",
        constant("services/log-sink/log_sink/tail.py", "_STREAM_MAX_S").per(MINUTE),
    ),
    ("docs/security.md", "requests wait for {} second", constant(f"{PROCESSOR}/web/slow_lane.py", "_PATIENCE_S")),
    ("docs/security.md", "Sockets are closed with {};", CODES["SESSION_ENDED"]),
    (
        "docs/security.md",
        "it is valid for {} minutes, for the recorder",
        of(recorder._SESSION_S, "_SESSION_S in plumbline/recorder.py").per(MINUTE),
    ),
    (
        "docs/security.md",
        "time limit, {} GiB of address space",
        written(f"{PROCESSOR}/documents/files/child.py", r"_MEMORY_MAX = (\d+) \* 1024\*\*3"),
    ),
    (
        "docs/security.md",
        "of that: {} million pixels",
        setting("data-processor", "PLUMBLINE_IMAGE_MAX_PIXELS").per(10**6),
    ),
    ("docs/security.md", "a container's limit of {} GiB", written(COMPOSE, r"mem_limit: (2)g")),
    (
        "docs/security.md",
        "in a process, for {} minutes at most",
        setting("data-processor", "PLUMBLINE_EXPORT_TIMEOUT_S").per(MINUTE),
    ),
    ("docs/security.md", "address. {} kbit/s is", setting("caddy", "PLUMBLINE_FRONT_BODY_RATE").per(1024 / 8)),
    (
        "docs/troubleshooting.md",
        "the last {} lines of every log",
        written("plumbline/targets/embedded/stack.py", r"log_tail\(path\.stem, (\d+)\)"),
    ),
    ("docs/how-to/connect.md", "A session lasts {} hours", SESSION),
    (
        "docs/how-to/setting.md",
        "deletes old rows every {} minutes",
        constant(f"{BACKEND}/pruning.py", "_EVERY_S").per(MINUTE),
    ),
    ("docs/how-to/template.md", "templates on {} pages", constant("tests/data/__main__.py", "_PAGES")),
    ("docs/tutorial.md", "If port {} is taken", of(facts.FRONT_PORT, "FRONT_PORT in servicekit/facts.py")),
    ("docs/tutorial.md", "Python 3.{} or newer with `venv`", PYTHON),
    (
        "docs/tutorial.md",
        "this one begins at {} % of its width and {} % of its height",
        of(round(_FIRST_BOX["x"] * 100), "docs/examples/invoice.json"),
        of(round(_FIRST_BOX["y"] * 100), "docs/examples/invoice.json"),
    ),
]
"""Page, what it says with `{}` for each number, and these numbers."""
