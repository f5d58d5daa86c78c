"""The page of a report: one file that needs nothing else, and runs no script."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2

from plumbline.verification.report import usual
from plumbline.verification.report.assemble import OUTCOMES

_FOLDER = Path(__file__).parent
_UNITS = {"rows": ("row", "rows"), "frames": ("frame", "frames"), "answers": ("answer", "answers")}


_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|0x[0-9a-f]+|\d+")
"""What differs between two messages about the same."""
STYLE = _FOLDER / "page.css"


def html(report: dict[str, Any], stylesheet: str = "") -> str:
    """Return the page. It has its style in itself, unless it shall be read from a `stylesheet`."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "duration": usual.words, "evidence": evidence, "number": _number, "moment": _moment, "sentence": _sentence,
    }  # fmt: skip
    template = environment.get_template("page.html.jinja")
    return template.render(
        **report,
        stylesheet=stylesheet,
        style=STYLE.read_text(encoding="utf-8"),
        headline=headline(report),
        causes=_causes(report["sessions"]),
        broken=[one for one in report["sessions"] if _is_broken(one)],
        stacks=[(one["name"], stack) for one in report["sessions"] for stack in one["stacks"]],
        reasons=_reasons(report["sessions"]),
        grouped=_grouped,
    )


def _is_broken(session: dict[str, Any]) -> bool:
    """Return whether a session has something to say beside its failed checks."""
    if session["trouble"] or session["why"] or session["counts"]["not_reached"]:
        return bool(session["state"] != "skipped")
    return session["state"] not in ("passed", "skipped") and session["counts"]["failed"] == 0


def headline(report: dict[str, Any]) -> str:
    """Return what came of the run, in one sentence."""
    counts = report["counts"]
    made = sum(counts[outcome] for outcome in OUTCOMES)
    failed = counts["failed"]
    match report["state"]:
        case "passed":
            skipped = f"; {_number(counts['skipped'])} were skipped" if counts["skipped"] else ""
            return f"Passed: {_number(counts['passed'])} checks{skipped}."
        case "interrupted":
            return f"Interrupted: {_number(counts['passed'])} checks had passed, and {_number(failed)} had failed."
        case "unfinished":
            return f"Not finished: so far {_number(counts['passed'])} checks passed, and {_number(failed)} failed."
    sessions = [one["name"] for one in report["sessions"] if one["state"] == "failed"]
    if failed:
        causes = len(_causes(report["sessions"]))
        few = "" if causes == failed else f", from {_number(causes)} {'cause' if causes == 1 else 'causes'}"
        return f"Failed: {_number(failed)} of {_number(made)} checks{few}, in {', '.join(sessions)}."
    return f"Failed: {', '.join(sessions) or 'no session'} did not get to its end."


def evidence(found: dict[str, Any] | None) -> str:
    """Return what a check has looked at, in a few words."""
    parts = []
    for name, value in (found or {}).items():
        if isinstance(value, dict):
            total = sum(value.values())
            kinds = ", ".join(str(one) for one in value)
            parts.append(f"{_number(total)} {_UNITS[name][total != 1]} ({kinds})")
        elif name in _UNITS:
            parts.append(f"{_number(value)} {_UNITS[name][value != 1]}")
        else:
            parts.append(f"{name.replace('_', ' ')} {_number(value) if isinstance(value, int) else value}")
    return "; ".join(parts)


def _of(session: dict[str, Any], *outcomes: str) -> list[dict[str, Any]]:
    return [check for check in session["checks"] if check["outcome"] in outcomes]


def _causes(sessions: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the red checks, each with those that failed for the same reason."""
    causes: dict[tuple[str, str], dict[str, Any]] = {}
    for session in sessions:
        by_name: dict[str, dict[str, Any]] = {}
        for check in _of(session, "failed", "interrupted"):
            said = check["explained"]
            first = by_name.get(said.get("because_of", ""))
            key = (session["name"], _ID.sub("", said.get("found") or check["details"] or check["name"]))
            cause = first or causes.setdefault(key, {"session": session, "check": check, "others": []})
            if cause["check"] is not check:
                cause["others"].append(check)
            by_name[check["name"]] = cause
    return list(causes.values())


def _reasons(sessions: Iterable[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return the skipped checks by their reason."""
    found: dict[str, list[dict[str, Any]]] = {}
    for session in sessions:
        if session["state"] == "skipped":
            found.setdefault(session["why"], []).append({"name": session["name"], "claim": session["what"]})
        for check in _of(session, "skipped"):
            found.setdefault(check["why"], []).append(check)
    return dict(sorted(found.items(), key=lambda one: -len(one[1])))


def _grouped(session: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a session's checks by their file, those with failed checks first."""
    groups: dict[str, dict[str, Any]] = {}
    for check in session["checks"]:
        file = check["name"].partition("::")[0] if "::" in check["name"] else ""
        described = session["files"].get(file, {"about": "", "guards": ""})
        group = groups.setdefault(file, {"file": file, **described, "checks": []})
        group["checks"].append(check)
    for group in groups.values():
        outcomes = [check["outcome"] for check in group["checks"]]
        group["counts"] = {name: outcomes.count(name) for name in OUTCOMES if outcomes.count(name)}
        group["seconds"] = sum(check["seconds"] for check in group["checks"])
        group["red"] = bool({"failed", "interrupted"} & {*outcomes})
    return sorted(groups.values(), key=lambda one: not one["red"])


def _number(value: float) -> str:
    return f"{value:,}"


def _moment(text: str | None) -> str:
    return f"{datetime.fromisoformat(text):%d %B %Y, %H:%M} UTC" if text else ""


def _sentence(text: str, *, capital: bool = True) -> str:
    text = text.strip()
    return (
        (text[:1].upper() if capital else text[:1])
        + text[1:]
        + ("" if text.endswith((".", "!", "?", ":")) or not text else ".")
    )
