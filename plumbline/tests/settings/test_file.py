"""Parsing of settings.env; wrong lines are named by number."""

from __future__ import annotations

from pathlib import Path

import pytest

from plumbline import home_files
from plumbline.home import Home
from plumbline.settings import file
from plumbline.verification.throwaway import unprivileged


def _read(tmp_path: Path, text: str | bytes) -> tuple[dict[str, str], list[tuple[int, str]]]:
    path = tmp_path / home_files.SETTINGS
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    lines, problems = file.read(path)
    return {one.name: one.value for one in lines}, [(one.number, one.words) for one in problems]


def test_comments_quotes_spaces_and_export_are_parsed(tmp_path: Path) -> None:
    text = "# a comment\n\nA=1\n B = two words # a comment\nexport C=\"in quotes\"\nD='x'\nE=\nF=a,b\n"
    assert _read(tmp_path, text) == (
        {"A": "1", "B": "two words", "C": "in quotes", "D": "x", "E": "", "F": "a,b"},
        [],
    )


def test_byte_order_mark_and_crlf_are_parsed(tmp_path: Path) -> None:
    assert _read(tmp_path, b"\xef\xbb\xbfA=1\r\nB=2\r\n") == ({"A": "1", "B": "2"}, [])


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("=x", "NAME=VALUE"),
        ("A", "has no value"),
        ("A='x", "close every quote"),
        ("A=${HOME}", "is not allowed"),
        ('A="x\\ny"', "is not allowed"),
        ("B=2", "set in line 1 already"),
    ],
)
def test_an_invalid_line_is_named_and_the_others_are_read(tmp_path: Path, line: str, words: str) -> None:
    values, problems = _read(tmp_path, f"B=1\n{line}\nC=3\n")
    assert values == {"B": "1", "C": "3"}
    assert [number for number, _ in problems] == [2]
    assert words in problems[0][1]


def test_another_encoding_is_refused(tmp_path: Path) -> None:
    values, problems = _read(tmp_path, "A=1\n".encode("utf-16"))
    assert values == {}
    assert problems == [(0, "is not UTF-8 text: save it as UTF-8")]


def test_an_unreadable_file_is_a_problem_and_a_missing_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / home_files.SETTINGS
    assert file.read(path) == ([], [])
    path.write_text("A=1\n")
    path.chmod(0)
    with unprivileged():
        _, problems = file.read(path)
    assert "cannot be read" in problems[0].words


def test_prepare_creates_an_empty_file_and_keeps_an_existing_one(home: Home) -> None:
    home.prepare()
    assert file.read(home.settings) == ([], [])
    assert "docs/generated/defaults.md" in home.settings.read_text()
    home.settings.write_text("A=1\n")
    home.prepare()
    assert home.settings.read_text() == "A=1\n"


def test_reset_deletes_an_unchanged_file_and_keeps_an_edited_one(home: Home) -> None:
    home.prepare()
    assert home.remove() == []
    assert not home.root.exists()
    home.prepare()
    home.settings.write_text("A=1\n")
    assert [Path(one).name for one in home.remove()] == [home_files.SETTINGS]
    assert home.settings.read_text() == "A=1\n"
