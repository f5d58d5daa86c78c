"""JUnit XML of a report: a suite for each session, with the evidence of a check as its properties."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any


def document(report: dict[str, Any]) -> bytes:
    """Return the XML."""
    root = ET.Element("testsuites", {"name": "Plumbline", "time": _time(report["run"])})
    root.attrib.update(_counts(report["sessions"]))
    for session in report["sessions"]:
        _suite(root, session)
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True))


def _suite(root: ET.Element, session: dict[str, Any]) -> None:
    suite = ET.SubElement(root, "testsuite", {"name": session["name"], "time": _time(session), **_counts([session])})
    for check in session["checks"]:
        file, _, name = check["name"].partition("::")
        where = {"classname": file if name else session["name"], "name": name or file}
        case = ET.SubElement(suite, "testcase", {**where, "time": _time(check)})
        given = {"protects_from": check["guards"], "notices_if": "; ".join(check["faults"]), **check["evidence"]}
        properties = ET.SubElement(case, "properties")
        for key, value in given.items():
            if value:
                ET.SubElement(properties, "property", name=key, value=str(value))
        match check["outcome"]:
            case "failed":
                failure = ET.SubElement(case, "failure", message=check["explained"].get("found", "") or "failed")
                failure.text = check["details"]
            case "interrupted":
                ET.SubElement(case, "error", message="was interrupted")
            case "skipped":
                ET.SubElement(case, "skipped", message=check["why"])
    if _errors(session):
        # A session can fail without a red check, such as when its stack does not come up.
        case = ET.SubElement(suite, "testcase", classname=session["name"], name="session", time="0")
        ET.SubElement(case, "error", message="\n".join([session["state"], session["why"], *session["trouble"]]).strip())


def _time(document: dict[str, Any]) -> str:
    return f"{document['seconds']:.3f}"


def _errors(session: dict[str, Any]) -> int:
    bad = session["state"] not in ("passed", "skipped") and not session["counts"]["failed"]
    return int(bad or bool(session["trouble"]))


def _counts(sessions: list[dict[str, Any]]) -> dict[str, str]:
    errors = sum(_errors(one) for one in sessions)
    return {
        "tests": str(sum(len(one["checks"]) for one in sessions) + errors),
        "failures": str(sum(one["counts"]["failed"] for one in sessions)),
        "errors": str(sum(one["counts"]["interrupted"] for one in sessions) + errors),
        "skipped": str(sum(one["counts"]["skipped"] for one in sessions)),
    }
