"""What becomes of every kind of entry that a service hands in.

Protects from entries that break the recorder, or are lost because they look unusual.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from plumbline.stack import Stack
from plumbline.targets.base import Target
from plumbline.verification.checks import contract, findings, recorder
from plumbline.verification.checks.intake import SERVICE, Intake
from plumbline.verification.checks.sessions import Operator
from plumbline.verification.checks.texts import unsafe_texts
from plumbline.verification.throwaway import wait_for_value

Entry = dict[str, Any]
RUN = secrets.token_hex(4)
NEXT = "./deploy-local.sh logs --component log-sink"
SECRET = "hunter2Zx"
LEVELS = {
    "warn": "warning", "error": "error", "critical": "critical", "fatal": "critical", "panic": "critical",
    "info": None, "notice": None, "debug": None,
}  # fmt: skip
"""Names of levels that programs use, and the recorder's names; it keeps nothing below a warning."""
TIMES = {
    1763845137.25: "2025-11-22T20:58:57.250Z",
    "2025-11-22T22:58:57.250+02:00": "2025-11-22T20:58:57.250Z",
    "2025-11-22T20:58:57.250": "2025-11-22T20:58:57.250Z",
}
WHOLE: Entry = {
    "ts": "2025-11-22T20:58:57.250+00:00", "level": "error", "message": "plumbline check: a whole entry",
    "request_id": f"{RUN}-0000-4000-8000-000000000000", "exception": "Traceback:\nValueError: 7",
    "fields": {"number": 7, "list": [1, {"a": None}], "flag": True},
}  # fmt: skip
MESSAGE = "plumbline check: " + "word " * 1600
TRACE = "Traceback (most recent call last):\n" + "  File x, line 1, in f\n" * 2000 + "ValueError: the last line"
CONTROLS = "a\x1b[31mred\x1b[0m \x00 \u202e \u2028 \x9b z"
NOTATIONS = (
    "password={}", '{{"apiKey": "{}"}}', "redis://:{}@redis/0", "postgresql://ada:{}@db:5432/app_db",
    "https://{}@example.com/x.git", "Authorization: Bearer {}", "Bearer {}", "Cookie: access_token={}; theme=dark",
    "GET /x?token={}&page=2", "%22password%22%3A%22{}%22", "('x-api-key', '{}')",
    '{{"name": "password", "value": "{}"}}', "mysqldump --password {} app_db", "['psql', '--db-password', '{}']",
    "<password>{}</password>", "SecretStr('{}')", "CREATE USER ada IDENTIFIED BY '{}'", "curl -u ada:{} http://x/",
    "requirepass {}", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.{}abcdefghijklmnopqrstuvwxyz",
    "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----", "pass\u200bword={}", "ｐａｓｓｗｏｒｄ={}",
)  # fmt: skip
BY_NAME = ("password", "x-api-key", "sessionToken", "db_password", "Authorization", "cookie")


def secret(number: int) -> str:
    return f"{SECRET}{number:03}q"


@pytest.fixture(scope="module")
def intake(target: Target) -> Intake:
    return Intake.of(target.stack())


@pytest.fixture(scope="module")
def operator(target: Target) -> Iterator[Operator]:
    made = Operator(target.stack())
    yield made
    made.close()


def stored(client: redis.Redis, name: str) -> list[Entry]:
    """Return what the recorder has stored of the entries with a name."""
    return [one for one in recorder.stream(client) if one["logger"] == f"{RUN}.{name}"]


def wait_for_all(client: redis.Redis, intake: Intake) -> None:
    """Return after everything that was handed in before is stored. Entries are stored in order of arrival."""
    name = f"last-{secrets.token_hex(4)}"
    intake.hand_in({"logger": f"{RUN}.{name}", "message": "plumbline check: the last entry"})
    wait_for_value(lambda: stored(client, name), bool, "the log-sink to store an entry of a check")


@pytest.fixture(scope="module")
def kept(target: Target, intake: Intake) -> dict[str, list[Entry]]:
    """What is stored, by name, of one entry of each kind."""
    entries: dict[str, Entry] = {f"level {level}": {"level": level} for level in LEVELS}
    entries |= {f"time {at}": {"ts": ts} for at, ts in enumerate(TIMES)}
    entries["whole"] = WHOLE
    entries["message"] = {"message": MESSAGE}
    entries["longer"] = {"message": MESSAGE * 3}
    entries["trace"] = {"level": "error", "exception": TRACE}
    entries["wide"] = {"fields": {f"field{number}": "ü" * 2000 for number in range(30)}}
    entries["controls"] = {"message": CONTROLS, "exception": CONTROLS, "fields": {CONTROLS: [CONTROLS]}}
    spelt = {f"notation{number}": one.format(secret(number)) for number, one in enumerate(NOTATIONS)}
    entries["secrets"] = {"message": "; ".join(spelt.values()), "fields": spelt}
    named = {name: secret(100 + number) for number, name in enumerate(BY_NAME)}
    pairs = [[name, secret(200 + number)] for number, name in enumerate(BY_NAME)]
    entries["named"] = {"fields": {**named, "headers": pairs}}
    intake.hand_in(*(
        {"message": f"plumbline check: {name}", **entry, "logger": f"{RUN}.{name}"} for name, entry in entries.items()
    ))  # fmt: skip
    with target.stack().redis.connect(decode_responses=True) as client:
        wait_for_all(client, intake)
        return {name: stored(client, name) for name in entries}


def only(kept: dict[str, list[Entry]], name: str) -> Entry:
    assert len(kept[name]) == 1, f"log-sink: stored {len(kept[name])} entries for `{name}`; expected one. Next: {NEXT}"
    return kept[name][0]


def test_each_level_is_kept_under_its_name_or_not_at_all(kept: dict[str, list[Entry]]) -> None:
    found = {level: [one["level"] for one in kept[f"level {level}"]] for level in LEVELS}
    expected = {level: [known] if known else [] for level, known in LEVELS.items()}
    wrong = [f"{level} is kept as {found[level]}" for level in LEVELS if found[level] != expected[level]]
    findings.require_none(wrong, about="log-sink: levels are kept wrongly", then=NEXT)


def test_times_are_kept_in_utc(kept: dict[str, list[Entry]]) -> None:
    for at, (ts, expected) in enumerate(TIMES.items()):
        found = only(kept, f"time {at}")["ts"]
        assert found == expected, f"log-sink: the time {ts} is kept as {found}; expected {expected}. Next: {NEXT}"


def test_an_entry_is_kept_whole(kept: dict[str, list[Entry]]) -> None:
    expected = WHOLE | {"ts": "2025-11-22T20:58:57.250Z", "service": SERVICE, "logger": f"{RUN}.whole"}
    found = only(kept, "whole")
    wrong = {name: found.get(name) for name in {*expected, *found} if found.get(name) != expected.get(name)}
    assert wrong == {}, f"log-sink: an entry was kept with other values than it was handed in with. Next: {NEXT}"


def test_a_message_within_the_limit_is_kept_whole(kept: dict[str, list[Entry]]) -> None:
    """Protects from messages that lose their end although there is room for it."""
    found = only(kept, "message")
    kept_of_it = (len(found["message"]), "truncated" in found)
    assert kept_of_it == (len(MESSAGE), False), (
        f"log-sink: a message of 8 KB is cut to {kept_of_it[0]} characters. Next: {NEXT}"
    )


@pytest.mark.parametrize("name", ["longer", "trace", "wide"])
def test_entries_that_are_too_long_are_cut_and_marked(kept: dict[str, list[Entry]], name: str) -> None:
    found = only(kept, name)
    size = len(json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode())
    assert size <= contract.ENTRY_MAX_BYTES, (
        f"log-sink: an entry of {size} bytes is kept, more than the limit. Next: {NEXT}"
    )
    assert size > contract.ENTRY_MAX_BYTES // 4, (
        f"log-sink: an entry was cut to {size} bytes, less than needed. Next: {NEXT}"
    )
    assert found.get("truncated") is True, f"log-sink: an entry that was cut is not marked so. Next: {NEXT}"


def test_of_a_long_trace_the_end_is_kept(kept: dict[str, list[Entry]]) -> None:
    end = str(only(kept, "trace")["exception"])[-60:]
    assert end.endswith(TRACE[-26:]), (
        f"log-sink: a trace that was cut ends with {end!r}; expected its last line. Next: {NEXT}"
    )


def test_no_text_of_an_entry_has_control_characters(kept: dict[str, list[Entry]]) -> None:
    unsafe = unsafe_texts(only(kept, "controls"))
    assert unsafe == [], f"log-sink: control characters are kept in {unsafe}. Next: {NEXT}"


@pytest.mark.parametrize("part", ["message", "fields"])
def test_secrets_are_redacted_in_every_notation(kept: dict[str, list[Entry]], part: str) -> None:
    text = json.dumps(only(kept, "secrets")[part])
    shown = [one for number, one in enumerate(NOTATIONS) if secret(number) in text]
    assert shown == [], f"log-sink: the {part} of an entry shows secrets in these notations. Next: {NEXT}"


def test_values_of_secret_names_are_redacted(kept: dict[str, list[Entry]]) -> None:
    text = json.dumps(only(kept, "named"))
    shown = [f"field {name}" for number, name in enumerate(BY_NAME) if secret(100 + number) in text]
    shown += [f"pair {name}" for number, name in enumerate(BY_NAME) if secret(200 + number) in text]
    assert shown == [], f"log-sink: values are kept whose names say that they are secret. Next: {NEXT}"


def counted(operator: Operator, service: str = SERVICE) -> dict[str, int]:
    """Return the counters of a service."""
    stats = operator.call("GET", "/logs/stats").expect(200)
    return dict(stats["by_service"].get(service, {"received": 0, "kept": 0, "superseded": 0, "dropped": 0}))


def test_losses_that_a_forwarder_reports_are_counted(
    operator: Operator, intake: Intake, redis_client: redis.Redis
) -> None:
    before = counted(operator)
    lost = ", ".join(f"{SERVICE};level={level};count={count}" for level, count in (("warning", 3), ("error", 2)))
    replaced = f"{SERVICE};level=warning;count=4"
    intake.hand_in(headers={"Plumbline-Dropped": lost, "Plumbline-Superseded": replaced})
    wait_for_all(redis_client, intake)
    after = counted(operator)
    found = {name: after[name] - before[name] for name in ("received", "dropped")}
    expected = {"received": 5 + 4 + 1, "dropped": 5}
    assert found == expected, f"log-sink: 5 lost and 4 replaced entries and 1 more are counted wrongly. Next: {NEXT}"


def test_lines_that_cannot_be_read_are_counted(operator: Operator, intake: Intake, redis_client: redis.Redis) -> None:
    """Protects from entries that vanish without a trace, because they were damaged."""
    before = counted(operator, "unknown")["dropped"]
    assert intake.post(b'not JSON\n{"level": "loud"}\n[]\n').status_code == 204
    wait_for_all(redis_client, intake)
    found = counted(operator, "unknown")["dropped"] - before
    assert found == 3, f"log-sink: 3 lines that are no entries are counted as {found} dropped ones. Next: {NEXT}"


def test_a_batch_that_is_sent_again_is_stored_once(intake: Intake, redis_client: redis.Redis) -> None:
    batch = {"Plumbline-Batch": f"{secrets.token_hex(16)}-7"}
    for _ in range(2):
        intake.hand_in({"logger": f"{RUN}.again", "message": "plumbline check: sent twice"}, headers=batch)
    wait_for_all(redis_client, intake)
    found = len(stored(redis_client, "again"))
    assert found == 1, f"log-sink: a batch that was sent twice is stored {found} times. Next: {NEXT}"


def test_faults_of_one_kind_share_an_entry_with_their_number(
    operator: Operator, intake: Intake, redis_client: redis.Redis
) -> None:
    kind, before = "client.plumbline_check", counted(operator)["received"]
    for _ in range(4):
        intake.hand_in({"logger": f"{RUN}.fault", "message": "plumbline check: a fault", "kind": kind, "count": 2})
        wait_for_all(redis_client, intake)
    received = counted(operator)["received"] - before - 4
    assert received == 8, f"log-sink: 4 times 2 faults are counted as {received}. Next: {NEXT}"
    entries = len(stored(redis_client, "fault"))
    # There are two if the minute ends meanwhile.
    assert entries <= 2, f"log-sink: 8 faults of one kind have {entries} entries; expected one a minute. Next: {NEXT}"
    shown = operator.call("GET", "/logs/entries", params={"service": SERVICE}).expect(200)["items"]
    number = sum(one["count"] for one in shown if one.get("kind") == kind)
    assert number >= 8, f"log-sink: the entries about 8 faults of one kind show {number}. Next: {NEXT}"


@pytest.mark.disrupt
def test_faults_of_many_kinds_replace_only_one_another(intake: Intake, redis_client: redis.Redis) -> None:
    most = contract.FAULTS_KEPT
    for group in ("client", "request"):
        intake.hand_in(*(
            {"logger": f"{RUN}.{group}", "message": "plumbline check: a fault", "kind": f"{group}.check_{number:02}"}
            for number in range(most + 5)
        ))  # fmt: skip
    wait_for_all(redis_client, intake)
    found = {group: len(stored(redis_client, group)) for group in ("client", "request")}
    expected = dict.fromkeys(found, most)
    assert found == expected, (
        f"log-sink: keeps {found} entries of {most + 5} kinds of faults; expected {expected}. Next: {NEXT}"
    )
    first = f"{RUN}.again-{most}"
    intake.hand_in({"logger": first, "message": "plumbline check: a fault", "kind": "client.check_00"})
    wait_for_all(redis_client, intake)
    again = len(stored(redis_client, f"again-{most}"))
    assert again == 1, (
        f"log-sink: a fault whose first entry gave way has {again} entries; expected a new one. Next: {NEXT}"
    )


def test_the_largest_batch_is_taken(stack: Stack, intake: Intake) -> None:
    # Entries below a warning leave nothing behind.
    line = json.dumps({"level": "info", "service": SERVICE, "message": "x" * 15_000}).encode() + b"\n"
    most = contract.setting(stack, "PLUMBLINE_INGEST_BODY_MAX", contract.INGEST_MAX_BYTES)
    body = (line * (most // len(line) + 1))[:most].rpartition(b"\n")[0].ljust(most, b"\n")
    assert len(body) == most
    for size, status in ((most, 204), (most + 1, 413)):
        answer = intake.post(body.ljust(size, b"\n"))
        assert answer.status_code == status, (
            f"caddy, log-sink: a batch of {size} bytes gives {answer.status_code}; expected {status}. Next: {NEXT}"
        )


def test_caddy_itself_refuses_entries_without_the_secret(intake: Intake) -> None:
    for shown in ("", "guessed"):
        answer = intake.post(b"", {contract.INTERNAL_HEADER: shown})
        found = (answer.status_code, "passed on" if "Via" in answer.headers else "refused")
        assert found == (403, "refused"), f"caddy: entries without the internal secret are {found}. Next: {NEXT}"


def test_entries_of_caddy_are_translated(intake: Intake, redis_client: redis.Redis) -> None:
    intake.send(
        {"level": "warn", "ts": 1763845137.25, "logger": f"{RUN}.caddy", "msg": "a problem", "error": "its cause",
         "stacktrace": "goroutine 1", "port": 7},
        {"level": "dpanic", "ts": 1763845137.25, "logger": f"{RUN}.caddy", "msg": "the last"},
    )  # fmt: skip
    wait_for_value(lambda: len(stored(redis_client, "caddy")), (2).__eq__, "2 entries of Caddy to be stored")
    found, last = stored(redis_client, "caddy")
    expected = {
        "ts": "2025-11-22T20:58:57.250Z", "level": "warning", "service": "caddy", "logger": f"{RUN}.caddy",
        "message": "a problem — its cause", "request_id": None, "exception": "goroutine 1", "fields": {"port": 7},
    }  # fmt: skip
    assert found == expected, f"log-sink: an entry of Caddy is kept otherwise than expected. Next: {NEXT}"
    assert last["level"] == "critical", f"log-sink: Caddy's level dpanic is kept as {last['level']}. Next: {NEXT}"


def test_of_requests_only_those_that_the_stack_failed_are_kept(intake: Intake, redis_client: redis.Redis) -> None:
    request = {"method": "GET", "host": "x", "uri": "/channels/", "remote_ip": "127.0.0.1"}
    access = {"level": "error", "logger": "http.log.access.log0", "msg": "handled request"}
    refused = [{**access, "request": request, "status": status} for status in (400, 401, 403, 404, 413, 422, 431, 499)]
    left = {"level": "error", "logger": "http.handlers.reverse_proxy", "msg": "aborting", "request": request,
            "error": "context canceled"}  # fmt: skip
    failed = [
        {**access, "request": {**request, "uri": uri}, "status": 503}
        for uri in ("/channels/", "/data-processor/documents/", "/logs/entries")
    ]
    before = recorder.received(redis_client, "caddy", "error")
    marks = len(stored(redis_client, "mark"))
    intake.send(*refused, left, *failed, {"level": "warn", "logger": f"{RUN}.mark", "msg": "the last"})
    wait_for_value(lambda: len(stored(redis_client, "mark")), (marks + 1).__eq__, "an entry of Caddy to be stored")
    found = recorder.received(redis_client, "caddy", "error") - before
    assert found == len(failed), (
        f"log-sink: of 8 refused, 1 abandoned and 3 failed requests {found} are counted; expected the 3. Next: {NEXT}"
    )
