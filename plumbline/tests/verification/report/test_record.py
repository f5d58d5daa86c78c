"""The record of a run holds no secret, survives a kill, and is appended to by several processes."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path

from plumbline.verification.report import record
from plumbline.verification.report.record import FILE, FOLDER, MASK, Record

_processes = multiprocessing.get_context("forkserver")


def texts(folder: Path) -> str:
    return (folder / FILE).read_text(encoding="utf-8")


def test_secrets_are_masked_wherever_they_are(tmp_path: Path) -> None:
    writer = Record(tmp_path, "suites")
    writer.mask(["plain-value-of-a-secret", "plain-value"])
    hidden = ["plain-value-of-a-secret", "Authorization: Bearer abcdef0123456789", "password=correct-horse-battery"]
    writer.write("check", name=hidden[0], explained={"found": hidden, hidden[0]: 1}, details="\n".join(hidden))
    said = texts(tmp_path)
    assert MASK in said
    for secret in ("plain-value", "abcdef0123456789", "correct-horse-battery"):
        assert secret not in said


def test_text_is_fit_for_a_page_and_for_xml(tmp_path: Path) -> None:
    Record(tmp_path).write("check", details="\x1b[31mred\x1b[0m \x00 \x08 \ud800 \uffff " + "x" * 100_000)
    (document,) = record.read(tmp_path)
    assert document["details"].startswith("red ")
    assert not {"\x00", "\x08", "\x1b", "\uffff"} & set(document["details"])
    assert len(document["details"]) < 50_000


def test_a_line_that_a_kill_cut_off_is_left_out(tmp_path: Path) -> None:
    writer = Record(tmp_path)
    writer.write("began", name="one")
    writer.write("began", name="two")
    (tmp_path / FILE).write_text(texts(tmp_path)[:-20])
    assert [one["name"] for one in record.read(tmp_path)] == ["one"]


def append(folder: Path, name: str) -> None:
    for number in range(200):
        Record(folder).write("began", name=f"{name}-{number}", details=name * 5000)


def test_lines_of_several_processes_stay_whole(tmp_path: Path) -> None:
    both = [_processes.Process(target=append, args=(tmp_path, name)) for name in "ab"]
    for one in both:
        one.start()
    for one in both:
        one.join(60)
    assert sorted(one["name"] for one in record.read(tmp_path)) == sorted(f"{a}-{n}" for a in "ab" for n in range(200))


def test_programs_of_a_program_record_nothing(tmp_path: Path) -> None:
    environment = {FOLDER: str(tmp_path), "NOX_CURRENT_SESSION": "unit"}
    writer = record.of_this_process(environment)
    assert writer is not None
    assert writer.session == "unit"
    assert record.of_this_process(environment) is None
    assert record.of_this_process({FOLDER: str(tmp_path / "gone")}) is None


def test_each_line_is_a_document(tmp_path: Path) -> None:
    Record(tmp_path, "lint").write("check", name="two\nlines", path=tmp_path)
    (line,) = texts(tmp_path).splitlines()
    assert json.loads(line)["path"] == str(tmp_path)
