"""Numbers that people wrote into pages are those of the code, the settings and the manifests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from servicekit import facts

from plumbline import ROOT, diagnose, preflight, terminal
from plumbline.components import COMPONENTS, POSTGRES
from plumbline.targets.compose import engine
from plumbline.targets.embedded import condition, supervisor, watch
from plumbline.targets.kubernetes import kubectl

from .values import WORDS, Value, constant, of, setting, written

SAID = {
    "LOG_CAP": r"(?:last|newest|more than) (\d+)(?= (?:warnings|entries|of all|wait|of each)|<)|of the (\d+)[., ]",
    "POSTGRES_MAJOR": r"(?i:postgres(?:ql)?[ :])(\d\d)\b",
    "FRONT_PORT": r"http://127\.0\.0\.1:(\d+)",
}
"""Fact to the words that a page says it in."""
LEFT_OUT = {ROOT / "docs" / "decisions", ROOT / "docs" / "generated"}
"""These tell what was so at a date, or are made from the facts."""
BACKEND = "services/backend/backend"
PROCESSOR, KIT = "services/data-processor/data_processor", "services/servicekit/servicekit"


def pages() -> Iterator[Path]:
    yield from (
        ROOT / "README.md",
        ROOT / "docs" / "assets" / "plumbline.svg",
        ROOT / "docker" / "postgres" / "Dockerfile",
    )
    yield from (path for path in (ROOT / "docs").rglob("*.md") if not LEFT_OUT.intersection(path.parents))
    yield from (ROOT / "k8s").rglob("*.yaml")


@pytest.mark.parametrize("fact", SAID)
def test_what_a_page_says_is_the_fact(fact: str) -> None:
    said = {}
    for page in pages():
        for match in re.finditer(SAID[fact], page.read_text()):
            said[f"{page.relative_to(ROOT)}: {match[0]}"] = next(filter(None, match.groups()))
    assert said, "no page says it any more: remove it here"
    wrong = [words for words, number in said.items() if number != str(getattr(facts, fact))]
    assert not wrong, f"{fact} is {getattr(facts, fact)} in servicekit/facts.py: change {wrong}"


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
ROWS: list[tuple[str, str, *tuple[Value, ...]]] = [
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
]
"""Page, what it says with `{}` for each number, and these numbers."""
_NUMBER = rf"(?:\d[\d,.]*\d|\d|a|{'|'.join(WORDS)})"


@pytest.mark.parametrize(("page", "words", "values"), [(row[0], row[1], row[2:]) for row in ROWS])
def test_a_number_on_a_page_is_that_of_the_product(page: str, words: str, values: tuple[Value, ...]) -> None:
    said = " ".join((ROOT / page).read_text().split())
    pattern = "(.+?)".join(map(re.escape, words.split("{}"))).replace("(.+?)", f"({_NUMBER})")
    found = re.search(pattern, said)
    assert found, f"{page} no longer says {words!r}: change the row of this test to its new words"
    for number, value in zip(found.groups(), values, strict=True):
        right = {str(value.number)} if isinstance(value.number, str) else value.spellings
        assert number in right, f"{page} says {found[0]!r}; expected {value.number} ({value.where}): correct the page"


def test_the_sizing_table_has_the_resources_of_the_manifests() -> None:
    page = (ROOT / "docs/kubernetes.md").read_text()
    for name in COMPONENTS:
        (file,) = (
            *(ROOT / "k8s/base" / name).glob("deployment.yaml"),
            *(ROOT / "k8s/base" / name).glob("stateful*.yaml"),
        )
        spec = yaml.safe_load(file.read_text())["spec"]
        resources = spec["template"]["spec"]["containers"][0]["resources"]
        asked, most = resources["requests"], resources["limits"]
        row = f"| {name} | {spec['replicas']} | {asked['cpu']} | {asked['memory']} | {most['memory']} |"
        assert row in page, (
            f"docs/kubernetes.md: expected the row {row} of {file.relative_to(ROOT)} in the sizing table"
        )


def test_the_levels_on_a_page_are_those_that_are_kept() -> None:
    *others, last = (f"`{level}`" for level in facts.LEVELS_KEPT)
    said = f"Entries of level {', '.join(others)} and {last}"
    assert said in (ROOT / "docs/recorder.md").read_text(), f"docs/recorder.md: expected {said!r} (LEVELS_KEPT)"
