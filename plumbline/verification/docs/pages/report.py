"""docs/generated/report.html: the report of a real run, made again from its JSON, so that it follows the page."""

from __future__ import annotations

import json
from pathlib import Path

from plumbline.verification.report import page

SAMPLE = Path(__file__).with_name("report.json")
"""Copied from a run of `nox`."""


def file() -> str:
    """Return the page. Its style is a file: the site's pages may have no inline one."""
    return page.html(json.loads(SAMPLE.read_text(encoding="utf-8")), "report.css")


def style() -> str:
    """Return the style of the page."""
    return page.STYLE.read_text(encoding="utf-8")
