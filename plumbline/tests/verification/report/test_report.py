"""What a record tells becomes the report: JSON, and from it the page and JUnit XML."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from plumbline.verification.report import files, junit, page, record, usual
from plumbline.verification.report.assemble import assemble
from plumbline.verification.report.record import Record

RUN = {
    "command": "nox", "version": "1.2.3", "commit": "abc", "changed_files": 2, "machine": "Linux, 2 cores", "ci": False,
    "process": 4711,
}  # fmt: skip
STACK = {
    "target": "embedded", "stack_id": "id-of-the-stack", "version": "1.2.3", "base_url": "http://127.0.0.1:8080",
    "home": "/home", "own": True, "settings": ["a = b"], "versions": {"Postgres": "16.4", "Redis": "7.0"},
}  # fmt: skip
HOSTILE = "</style><script>alert(1)</script><img src=x onerror=alert(2)> \"' & {{ 7 * 7 }}"


def check(name: str, outcome: str = "passed", **more: Any) -> dict[str, Any]:
    return {"name": name, "claim": name, "guards": "", "outcome": outcome, "seconds": 1.5, **more}


@pytest.fixture
def run(tmp_path: Path) -> Record:
    writer = Record(tmp_path)
    writer.write("run", **RUN)
    writer.write("planned", sessions=["lint", "suites", "docs"])
    return writer


def session(writer: Record, name: str, *checks: dict[str, Any], state: str | None = "passed", planned: int = 0) -> None:
    writer.session = name
    writer.write("session", what=f"What {name} does.", arguments="", python="3.11")
    if planned:
        writer.write("program", arguments=[])
        writer.write("planned", checks=planned)
    for one in checks:
        writer.write("began", name=one["name"], claim=one["claim"])
        if one["outcome"] != "running":
            writer.write("check", **one)
    if state:
        writer.write("session-ended", state=state, why="", seconds=12.0)
    writer.session = ""


def report(writer: Record) -> dict[str, Any]:
    return assemble(record.read(writer.folder), usual.Usual({"lint": 10.0}))


def test_a_run_that_passed(run: Record) -> None:
    session(run, "lint", check("mypy"))
    session(
        run,
        "suites",
        check("tests/smoke/test_a.py::test_b"),
        check("tests/smoke/test_a.py::test_c", "skipped", why="no Docker"),
    )
    session(run, "docs", check("mkdocs"))
    run.write("run-ended", results={})
    made = report(run)
    assert made["state"] == "passed"
    assert made["counts"] == {"passed": 3, "failed": 0, "skipped": 1, "interrupted": 0, "not_reached": 0}
    assert [one["name"] for one in made["sessions"]] == ["lint", "suites", "docs"]
    assert made["sessions"][0]["usual_seconds"] == 10.0
    assert page.headline(made) == "Passed: 3 checks; 1 were skipped."
    assert "No Docker." in page.html(made)


def test_sessions_that_an_interruption_kept_from_running_are_named(run: Record) -> None:
    session(run, "lint", check("mypy"))
    session(run, "suites", check("t.py::test_a"), check("t.py::test_b", "running"), state="interrupted", planned=5)
    run.write("run-ended", results={"lint": ["success", ""]})
    made = report(run)
    assert made["state"] == "interrupted"
    assert [one["state"] for one in made["sessions"]] == ["passed", "interrupted", "not run"]
    assert made["counts"]["interrupted"] == 1
    assert made["counts"]["not_reached"] == 3
    said = page.html(made)
    assert "It was at work when the run ended." in said
    assert "The run ended before this session." in said


def test_a_run_that_was_killed_says_so(run: Record) -> None:
    session(run, "lint", check("mypy"))
    session(run, "suites", check("t.py::test_a", "running"), state=None)
    made = report(run)
    assert made["state"] == "unfinished"
    assert made["run"]["ended"] is None
    assert [one["state"] for one in made["sessions"]] == ["passed", "unfinished", "waiting"]
    assert "process 4711" in page.html(made)


def test_a_pytest_that_was_killed_is_no_success(run: Record) -> None:
    session(run, "suites", check("t.py::test_a", "running"), state="failed", planned=2)
    run.write("run-ended", results={"docs": ["failed", ""]})
    made = report(run)
    assert made["state"] == "failed"
    assert made["sessions"][1]["trouble"] == ["pytest ended without a word: it was killed, or it crashed"]
    assert made["sessions"][2]["why"] == "its environment could not be made"
    (case,) = ET.fromstring(junit.document(made)).findall(".//testcase[@name='test_a']")
    assert case.find("error") is not None


def test_checks_whose_names_are_masked_are_all_counted(run: Record) -> None:
    names = [f"t.py::test_a[password={number}]" for number in range(3)]
    session(run, "suites", *map(check, names), planned=3)
    made = report(run)["sessions"][1]
    assert {one["name"] for one in made["checks"]} == {"t.py::test_a[password=[redacted]]"}
    assert made["counts"] == {"passed": 3, "failed": 0, "skipped": 0, "interrupted": 0, "not_reached": 0}


def test_checks_that_failed_for_the_same_reason_are_one_cause(run: Record) -> None:
    names = [f"t.py::test_{number}" for number in range(4)]
    first = check(names[0], "failed", explained={"component": "backend", "found": "no answer", "next": "logs"})
    others = [check(one, "failed", explained={"found": f"{one}", "because_of": names[0]}) for one in names[1:]]
    session(
        run, "suites", first, *others, check("t.py::test_other", "failed", explained={"found": "else"}), state="failed"
    )
    made = report(run)
    run.write("run-ended", results={})
    said = page.html(report(run))
    assert page.headline(report(run)) == "Failed: 5 of 5 checks, from 2 causes, in suites."
    assert "3 more failed for the same reason" in said
    assert made["counts"]["failed"] == 5


def test_evidence_is_shown_in_words() -> None:
    found = {"rows": {"messages": 1200, "users": 1}, "frames": {"join": 1}, "stream_length": 200}
    assert page.evidence(found) == "1,201 rows (messages, users); 1 frame (join); stream length 200"
    assert page.evidence({}) == ""


def hostile(value: Any) -> Any:
    if isinstance(value, str):
        return value + HOSTILE
    if isinstance(value, dict):
        return {name: hostile(one) for name, one in value.items()}
    return [hostile(one) for one in value] if isinstance(value, list) else value


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.data = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.data += data


@pytest.fixture
def whole(run: Record) -> dict[str, Any]:
    """A report with something in every place."""
    run.session = "suites"
    run.write("stack", **STACK)
    run.write("file", name="t.py", about="About.", guards="harm.")
    run.write("program-ended", exit=1, trouble=["pytest itself failed"])
    parts = ("component", "expected", "found", "where_to_look", "next")
    red = check("t.py::test_a", "failed", explained=dict.fromkeys(parts, "x"), details="trace", guards="harm")
    red |= {"faults": ["a fault"], "evidence": {"rows": {"users": 3}}}
    skipped = check("t.py::test_c", "skipped", why="no Docker")
    session(run, "suites", red, {**red, "name": "t.py::test_b"}, skipped, state="failed")
    run.write("run-ended", results={})
    return report(run)


def test_every_value_is_escaped(whole: dict[str, Any]) -> None:
    made = hostile(whole)
    made |= {
        "state": whole["state"],
        "run": {**made["run"], "began": whole["run"]["began"], "ended": whole["run"]["ended"]},
    }
    for one, other in zip(made["sessions"], whole["sessions"], strict=True):
        for mine, its in zip(one["checks"], other["checks"], strict=True):
            mine["outcome"] = its["outcome"]
    tags = Tags()
    tags.feed(page.html(made))
    assert not {"script", "img", "link", "iframe"} & {tag for tag, _ in tags.found}
    assert not [name for _, attributes in tags.found for name in attributes if name.startswith("on")]
    assert tags.data.count("alert(2)") > 30
    assert "{{ 7 * 7 }}" in tags.data
    ET.fromstring(junit.document(made))


def test_the_page_needs_nothing_else(whole: dict[str, Any]) -> None:
    tags = Tags()
    tags.feed(page.html(whole))
    leading = {value for _, attributes in tags.found for name, value in attributes.items() if name in ("src", "href")}
    assert all(value and value.startswith("#") for value in leading)
    ids = {attributes.get("id") for _, attributes in tags.found}
    assert {value.removeprefix("#") for value in leading if value} - ids == {"session-lint", "session-docs"}


def test_the_files_are_written_together(whole: dict[str, Any], run: Record) -> None:
    assert files.write(run.folder).name == "report.html"
    suites = ET.parse(run.folder / "junit.xml").getroot()
    assert (suites.get("tests"), suites.get("failures"), suites.get("skipped")) == ("6", "2", "1")
    evidence = suites.find(".//testcase[@name='test_a']/properties/property[@name='rows']")
    assert evidence is not None
    assert usual.of(run.folder.parent).checks == usual.Usual.saved(usual.RECORDED.parent).checks


@pytest.fixture
def shown(whole: dict[str, Any], tmp_path: Path, new_page: Callable[..., Any]) -> Callable[..., Any]:
    file = tmp_path / "report.html"
    for one in whole["sessions"]:
        one["checks"] = [{**check, "claim": "x" * 100, "why": "y" * 100} for check in one["checks"]]
    file.write_text(page.html(whole), encoding="utf-8")

    def show(**options: Any) -> Any:
        shown = new_page("file://", **options)
        shown.goto(file.as_uri())
        return shown

    return show


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_a_phone_and_a_desk(shown: Callable[..., Any], scheme: str) -> None:
    grounds = set()
    for width in (360, 1280):
        made = shown(viewport={"width": width, "height": 800}, color_scheme=scheme)
        made.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        assert made.evaluate("document.documentElement.scrollWidth") <= width
        grounds.add(made.evaluate("getComputedStyle(document.documentElement).backgroundColor"))
    assert grounds == {"rgb(20, 25, 28)" if scheme == "dark" else "rgb(245, 247, 248)"}
