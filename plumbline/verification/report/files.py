"""Writes the three files of a report: `report.json`, and `report.html` and `junit.xml`, which are made from it."""

from __future__ import annotations

import json
from pathlib import Path

from plumbline.verification.report import junit, page, record, usual
from plumbline.verification.report.assemble import assemble


def write(folder: Path) -> Path:
    """Write what the record of a run tells so far; return the page."""
    report = assemble(record.read(folder), usual.Usual.saved(folder))
    _replace(folder / "report.json", json.dumps(report, indent=1, ensure_ascii=False).encode())
    _replace(folder / "junit.xml", junit.document(report))
    html = folder / "report.html"
    _replace(html, page.html(report).encode())
    return html


def _replace(path: Path, content: bytes) -> None:
    new = path.with_suffix(".new")
    new.write_bytes(content)
    new.replace(path)
