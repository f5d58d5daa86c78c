"""Each check has a sentence beside it that says what it protects from."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from plumbline import ROOT
from plumbline.verification.plugins.report import faults_seen_by
from plumbline.verification.report import sentences

SUITES = sorted(ROOT.glob("tests/smoke/test_*.py")) + sorted(ROOT.glob("tests/logs/test_*.py"))
FEW = 4
"""Checks of one file that one sentence may be about."""
ALIKE = {"changes", "exact_answers", "exact_frames", "exports", "filters", "templates", "tokens", "users"}
"""Files whose sentence, with the name of a check, says all."""
SENTENCE = re.compile(r"[a-z].{10,}\.|HTTP.{10,}\.")


def checks_of(path: Path) -> list[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [
        one.name
        for one in ast.walk(tree)
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef) and one.name.startswith("test_")
    ]


@pytest.mark.parametrize("path", SUITES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_check_of_the_suites_says_what_it_protects_from(path: Path) -> None:
    file = sentences.of(path)
    assert file.about
    assert SENTENCE.fullmatch(file.guards), f"{path}: its docstring needs a sentence 'Protects from …'"
    checks = checks_of(path)
    assert checks
    # A name that belongs to no check would be read by no one.
    assert file.own.keys() <= {*checks}
    for check in checks:
        assert SENTENCE.fullmatch(file.guards_of(f"{path.name}::{check}[some case]"))
    if len(checks) <= FEW or path.stem.removeprefix("test_") in ALIKE:
        return
    short = f"{path.parent.name}/{path.name}"
    wide = [one for one in checks if one not in file.own and not faults_seen_by(f"{short}::{one}")]
    wide = [one for one in wide if not any(name.startswith(f"{short}::{one}[") for name in _seen())]
    assert wide == [], (
        f"{path}: one sentence is too wide for {len(checks)} checks. These have seen no fault that would say more: "
        "begin their docstring with 'Protects from …'"
    )


def _seen() -> list[str]:
    from plumbline.verification.faults.areas import areas

    return [check for area in areas() for fault in area.faults for check in fault.red]


def test_a_check_has_its_own_sentence_or_that_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "test_a.py"
    path.write_text(
        '"""About.\n\nProtects from wide\nharm.\n"""\n'
        'def test_a():\n    """Protects from narrow harm."""\n\n\ndef test_b():\n    """Says more."""\n'
    )
    file = sentences.of(path)
    assert (file.about, file.guards) == ("About.", "wide harm.")
    assert file.guards_of("test_a.py::test_a[1]") == "narrow harm."
    assert file.guards_of("test_a.py::test_b") == "wide harm."


def test_every_unit_test_says_what_it_protects_from() -> None:
    unit = [
        path
        for top in ("benchmarks", "plumbline", "services", "tests/upgrade", "tests/websocket")
        for path in (ROOT / top).rglob("test_*.py")
    ]
    assert len(unit) > 150
    assert [path for path in unit if not SENTENCE.fullmatch(sentences.of(path).guards)] == []


def test_no_folder_is_named_that_has_no_tests() -> None:
    assert [folder for folder in sentences.FOLDERS if not any((ROOT / folder).rglob("test_*.py"))] == []
