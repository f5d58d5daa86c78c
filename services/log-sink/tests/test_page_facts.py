"""Scripts cannot read `servicekit.facts`: the page tells them what the recorder keeps."""

from __future__ import annotations

import re

from log_sink import pages
from servicekit.facts import FAULTS_KEPT, LEVELS_KEPT, LOG_CAP

SCRIPTS = "\n".join(path.read_text() for path in (pages.WEB / "assets").glob("*.js"))


def test_the_page_tells_its_scripts_what_the_recorder_keeps() -> None:
    (head,) = re.findall(r"<html ([^>]*)>", pages._PAGE)
    told = dict(re.findall(r'data-([a-z-]+)="([^"]*)"', head))
    levels = " ".join(LEVELS_KEPT)
    assert told == {"log-cap": str(LOG_CAP), "faults-kept": str(FAULTS_KEPT), "levels": levels}
    read = {
        re.sub("[A-Z]", lambda letter: f"-{letter[0].lower()}", name) for name in re.findall(r"kept\.(\w+)", SCRIPTS)
    }
    assert told.keys() <= read, "assets/store.js reads them from the page"


def test_no_fact_is_left_as_a_name() -> None:
    assert f"last {LOG_CAP} warnings" in pages._LOGIN
    assert not re.search(r"\{[A-Z_]+\}", pages._PAGE + pages._LOGIN)
