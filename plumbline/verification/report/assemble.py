"""Turns the record of a run into the report's JSON document, from which the page and JUnit XML are made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from plumbline.verification.report.record import KEY
from plumbline.verification.report.usual import Usual

FORMAT = 1
OUTCOMES = ("passed", "failed", "skipped", "interrupted")
_STATES = {"success": "passed", "failed": "failed", "skipped": "skipped", "aborted": "failed"}
"""What nox says of a session whose own record is missing."""
_CHECK: dict[str, Any] = {
    "outcome": "interrupted", "seconds": 0.0, "claim": "", "guards": "", "why": "", "faults": [], "evidence": {},
    "explained": {}, "details": "",
}  # fmt: skip
"""A check that has begun."""


def assemble(documents: Iterable[dict[str, Any]], usual: Usual) -> dict[str, Any]:
    """Return the report of what a record tells, whole or not."""
    run = _Run(usual)
    for document in documents:
        run.take(document)
    return run.report()


class _Session:
    def __init__(self, name: str) -> None:
        self.facts: dict[str, Any] = {"name": name, "what": "", "arguments": "", "python": ""}
        self.state, self.why, self.seconds = "unfinished", "", 0.0
        self.began = self.last = 0.0
        self.planned = 0
        self.stacks: list[dict[str, Any]] = []
        self.trouble: list[str] = []
        self.files: dict[str, dict[str, str]] = {}
        self.checks: dict[str, dict[str, Any]] = {}
        """By the key of their names."""
        self.programs = 0

    def take(self, document: dict[str, Any]) -> None:
        fields = {name: value for name, value in document.items() if name not in ("kind", "session", "at", KEY)}
        key = document.get(KEY, "")
        self.last = document["at"]
        match document["kind"]:
            case "session":
                self.facts |= fields
                self.began = document["at"]
            case "session-ended":
                self.state, self.why, self.seconds = fields["state"], fields["why"], fields["seconds"]
            case "program":
                self.programs += 1
            case "program-ended":
                self.programs -= 1
                self.trouble += fields["trouble"]
            case "planned":
                self.planned += fields["checks"]
            case "stack" if fields not in self.stacks:
                self.stacks.append(fields)
            case "file":
                self.files[fields.pop("name")] = fields
            case "began":
                self.checks.setdefault(key, {**_CHECK, **fields})
            case "check":
                # A check whose file is collected by two programs of a session is told twice: the worse one counts.
                if self.checks.get(key, _CHECK)["outcome"] != "failed":
                    self.checks[key] = {**_CHECK, **fields}

    def report(self, usual: Usual) -> dict[str, Any]:
        checks = list(self.checks.values())
        trouble = list(self.trouble)
        if self.programs > 0 and self.state != "unfinished":
            trouble.append("pytest ended without a word: it was killed, or it crashed")
        counts = Counter(one["outcome"] for one in checks)
        return {
            **self.facts,
            "state": self.state,
            "why": self.why,
            "seconds": round(self.seconds or max(0.0, self.last - self.began), 3),
            "usual_seconds": usual.session(self.facts["name"], self.facts["arguments"]),
            "counts": {outcome: counts[outcome] for outcome in OUTCOMES} | {"not_reached": self._not_reached()},
            "trouble": trouble,
            "stacks": self.stacks,
            "files": self.files,
            "checks": checks,
        }

    def _not_reached(self) -> int:
        tests = sum("::" in one["name"] for one in self.checks.values())
        return max(0, self.planned - tests)


class _Run:
    def __init__(self, usual: Usual) -> None:
        self._usual = usual
        self._facts: dict[str, Any] = {}
        self._planned: list[str] = []
        self._results: dict[str, tuple[str, str]] = {}
        self._sessions: dict[str, _Session] = {}
        self._began = self._last = 0.0
        self._ended = False

    def take(self, document: dict[str, Any]) -> None:
        self._last = document["at"]
        name = document["session"]
        if name:
            self._sessions.setdefault(name, _Session(name)).take(document)
            return
        match document["kind"]:
            case "run":
                self._began = document["at"]
                self._facts = {name: one for name, one in document.items() if name not in ("kind", "session", "at")}
            case "planned":
                self._planned = document["sessions"]
            case "run-ended":
                self._ended, self._results = True, document["results"]

    def report(self) -> dict[str, Any]:
        sessions = [one.report(self._usual) for one in self._sessions.values()]
        known = {one["name"] for one in sessions}
        sessions += [self._silent(name) for name in self._planned if name not in known]
        order = {name: place for place, name in enumerate(self._planned)}
        sessions.sort(key=lambda one: order.get(one["name"], len(order)))
        counts: Counter[str] = Counter()
        for one in sessions:
            counts.update(one["counts"])
        return {
            "format": FORMAT,
            "state": self._state(sessions),
            "run": {
                **self._facts,
                "began": _moment(self._began),
                "ended": _moment(self._last) if self._ended else None,
                "seconds": round(self._last - self._began, 3),
            },
            "counts": {name: counts[name] for name in (*OUTCOMES, "not_reached")},
            "sessions": sessions,
        }

    def _silent(self, name: str) -> dict[str, Any]:
        """Return a session that was chosen and recorded nothing: not begun, or without an environment."""
        said, why = self._results.get(name, ("", ""))
        report = _Session(name).report(self._usual)
        state = _STATES.get(said, "not run" if self._ended else "waiting")
        return {**report, "state": state, "why": why or ("its environment could not be made" if said else "")}

    def _state(self, sessions: list[dict[str, Any]]) -> str:
        states = {one["state"] for one in sessions}
        if "interrupted" in states:
            return "interrupted"
        if not self._ended:
            return "unfinished"
        if states <= {"passed", "skipped"} and sessions:
            return "passed"
        return "failed"


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
