"""Examples and tables on pages hold what the product says: keys of JSON, ports of Services, listeners and statuses."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

import orjson
import pytest
import yaml
from servicekit.codes import Code
from servicekit.log import entries
from servicekit.problems import problem

from plumbline import ROOT
from plumbline.components import PORTS

from . import text

_JSON = re.compile(r"```json\n(.*?)```", re.DOTALL)
_PROGRAM = re.compile(r"```(python|js)\n(.*?)```", re.DOTALL)
_FORWARD = re.compile(r"port-forward (?:service|svc)/([a-z-]+) \d+:(\d+)")
ANSWER = re.compile(
    r"`(GET|POST|PUT|PATCH|DELETE) (/[^`?]*)[^`]*`(?:(?!`(?:GET|POST|PUT|PATCH|DELETE) ).){0,200}?\b(20[1-4])\b"
)
"""A call, and the status of its answer."""
_STATUS = re.compile(r"\b[45]\d\d\b")
_ADDED = {"id", "kind", "count", "replaces"}
"""What the log-sink adds to an entry; it builds them in pieces."""
STATUSES: list[tuple[str, str, *tuple[Code, ...]]] = [
    ("benchmarks.md", "a refusal ({} or {})", Code.TOO_MANY_AT_ONCE, Code.OVERLOADED),
    ("calls.md", "text (else {})", Code.INVALID),
    ("kubernetes.md", "Both services answer {} while Postgres", Code.DATABASE_AWAY),
    ("kubernetes.md", "Caddy's {} instead of a {} with the", Code.UPSTREAM_UNAVAILABLE, Code.DATABASE_AWAY),
    ("kubernetes.md", "Postgres, with {} for some seconds", Code.DATABASE_AWAY),
    ("security.md", "Above a limit the answer is {} with `Retry-After`", Code.TOO_MANY_ATTEMPTS),
    ("security.md", "longer than five seconds gets {} with", Code.OVERLOADED),
    ("security.md", "served first, and others get {}.", Code.OVERLOADED),
    ("troubleshooting.md", "| {} with *the database", Code.DATABASE_AWAY),
    ("troubleshooting.md", "| {} *expired* |", Code.UNAUTHENTICATED),
]
"""Page, words around statuses that have no code beside them, and the codes that are meant."""
LISTENERS = {
    "Caddy's front door": {"front"},
    "Caddy's listener for log entries": {"internal"},
    "backend, data-processor, log-sink": {"backend", "data-processor", "log-sink"},
    "the log-sink's UDP port": {"log-ingest"},
    "Postgres": {"postgres"},
    "Redis": {"redis"},
}
"""Row of the page, and the ports it is about."""


@cache
def _shapes() -> dict[str, set[str]]:
    entry = orjson.loads(entries.build({}, "backend", "warning"))
    return {"problem document": set(problem(Code.INVALID, "")), "entry of the recorder": {*entry, *_ADDED}}


def test_every_program_on_a_page_is_part_of_an_example() -> None:
    """Examples are run: those of the tutorial and of docs/how-to on a stack, client.mjs in a browser."""
    files = [file.read_text() for file in (ROOT / "docs/examples").iterdir()]
    wrong, seen = [], set()
    for page in text.PAGES:
        for found in _PROGRAM.finditer(page.read_text()):
            seen.add(found[1])
            if not any(found[2] in file for file in files):
                wrong.append(f"{text.name(page)}:{text.line_of(page.read_text(), found.start())}")
    assert not wrong, f"no file of docs/examples has the lines of {wrong}"
    assert seen == {"python", "js"}


@cache
def _labels() -> list[Any]:
    """Return the labels of the templates in docs/examples."""
    return [one for file in (ROOT / "docs/examples").glob("*.json") for one in json.loads(file.read_text())["labels"]]


def test_every_example_of_json_has_the_keys_of_the_product() -> None:
    examples = 0
    for page in text.PAGES:
        for found in _JSON.finditer(page.read_text()):
            examples += 1
            where = f"{text.name(page)}:{text.line_of(page.read_text(), found.start())}"
            shown = json.loads(found[1])
            if shown in _labels():
                continue
            keys = set(shown)
            differences = {title: shape ^ keys for title, shape in _shapes().items()}
            title = min(differences, key=lambda name: len(differences[name]))
            assert not differences[title], (
                f"{where} shows a {title} with the keys {sorted(keys)}; expected {sorted(_shapes()[title])}"
            )
    assert examples, "no page shows JSON: this check looks for ```json"


def test_every_port_that_a_page_forwards_is_one_of_its_service() -> None:
    services = {}
    for file in (ROOT / "k8s/base").rglob("service*.yaml"):
        for one in yaml.safe_load_all(file.read_text()):
            if one["kind"] == "Service":
                services[one["metadata"]["name"]] = {port["port"] for port in one["spec"]["ports"]}
    for page in text.PAGES:
        for found in _FORWARD.finditer(page.read_text()):
            where = f"{text.name(page)}:{text.line_of(page.read_text(), found.start())}"
            known = services.get(found[1], set())
            assert int(found[2]) in known, (
                f"{where} forwards to port {found[2]} of {found[1]}; expected {sorted(known)}"
            )


def test_the_table_of_listeners_is_complete() -> None:
    page = (ROOT / "docs/security.md").read_text()
    table = page.partition("## What listens where")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (?!listener|---)([^|]+?) \|", table, re.MULTILINE)
    assert sorted(rows) == sorted(LISTENERS), f"docs/security.md lists {rows}; expected {[*LISTENERS]}"
    assert set().union(*LISTENERS.values()) == PORTS.keys(), "the product listens on a port that no row is about"


@cache
def _statuses() -> set[str]:
    """Return every status of a refusal, from the second column of the page of codes."""
    page = (ROOT / "docs/generated/codes.md").read_text()
    return {
        status
        for cell in re.findall(r"^\| `\w+` \| ([^|]+) \|", page, re.MULTILINE)
        for status in _STATUS.findall(cell)
    }


@pytest.mark.parametrize(("page", "words", "codes"), [(page, words, codes) for page, words, *codes in STATUSES])
def test_a_status_without_a_code_is_the_one_that_is_meant(page: str, words: str, codes: list[Code]) -> None:
    pattern = re.escape(words).replace(r"\{\}", r"(\d{3})").replace(r"\ ", r"\s+")
    found = re.search(pattern, (ROOT / "docs" / page).read_text())
    assert found, f"docs/{page} does not say {words!r} any more: change the row here"
    due = [str(code.status) for code in codes]
    assert [*found.groups()] == due, f"docs/{page} says {found[0]!r}; expected {due} ({', '.join(codes)})"


def test_the_table_of_statuses_is_complete() -> None:
    page = (ROOT / "docs/calls.md").read_text()
    table = page.partition("| status | meaning |")[2].partition("\n\n")[0]
    listed = {status for cell in re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE) for status in _STATUS.findall(cell)}
    assert listed == _statuses(), (
        f"docs/calls.md lists statuses that nothing answers: {sorted(listed - _statuses())}, and lacks "
        f"{sorted(_statuses() - listed)}"
    )


@cache
def _answers() -> set[tuple[str, str, str]]:
    """Return every method, path and status that OpenAPI declares."""
    return {
        (method.upper(), re.sub(r"\{\w+\}", "{}", path), status)
        for service in ("backend", "data-processor")
        for path, calls in orjson.loads((ROOT / f"docs/generated/openapi-{service}.json").read_bytes())["paths"].items()
        for method, call in calls.items()
        if method in ("get", "post", "put", "patch", "delete")
        for status in call["responses"]
    }


def test_every_status_that_a_page_gives_a_call_is_declared() -> None:
    wrong, seen = [], 0
    for page in text.PAGES:
        for found in ANSWER.finditer(" ".join(page.read_text().split())):
            seen += 1
            method, path, status = found.groups()
            if (method, re.sub(r"\{\w+\}", "{}", path), status) not in _answers():
                wrong.append(f"{text.name(page)}: {method} {path} with {status}")
    assert not wrong, f"OpenAPI does not declare {wrong}"
    assert seen >= 3, "no page gives a call a status any more: this check looks for `POST /path` … 202"
