"""Archives: what is written is read again, and nothing else is."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from plumbline.backups import archive
from plumbline.backups.archive import Contents, Manifest, Table
from plumbline.errors import PlumblineError

CONTENTS = Contents({"backend": "0004_names"}, (Table("users", 2, "-17", 8192, ("id", "name")),))
MANIFEST = Manifest("2026-01-02T03:04:05+00:00", "manual", "0.1.0", "abc", "embedded", "s" * 16, CONTENTS)
DUMP = b"PGDMP" + bytes(range(256)) * 50


@pytest.fixture
def made(tmp_path: Path) -> Path:
    path = tmp_path / "one.plumbline"
    with path.open("xb") as file:
        assert archive.write(file, MANIFEST, iter([DUMP[:1000], DUMP[1000:]])) == len(DUMP)
    return path


def test_what_was_written_is_read(made: Path) -> None:
    found = archive.opened(made)
    assert found.manifest == MANIFEST
    assert b"".join(found.dump()) == DUMP
    assert found.dump_bytes == len(DUMP)


def test_ordinary_tools_check_and_unpack_an_archive(made: Path, tmp_path: Path) -> None:
    subprocess.run(["tar", "xf", str(made)], cwd=tmp_path, check=True)
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=tmp_path, check=True)
    assert (tmp_path / "app_db.dump").read_bytes() == DUMP


@pytest.mark.parametrize("share", [0.03, 0.1, 0.5, 0.9])
def test_a_truncated_archive_is_refused(made: Path, share: float) -> None:
    whole = made.read_bytes()
    made.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(PlumblineError, match=r"is truncated|is not an archive"):
        archive.opened(made).check()


def test_every_changed_byte_is_noticed(made: Path) -> None:
    whole = made.read_bytes()
    with tarfile.open(made) as tar:
        places = [
            one.offset_data + step for one in tar.getmembers() for step in range(0, one.size, max(1, one.size // 9))
        ]
    for place in places:
        made.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(PlumblineError):
            archive.opened(made).check()


def _another_tar(path: Path) -> None:
    with tarfile.open(path, "w") as tar:
        tar.addfile(tarfile.TarInfo("etc/passwd"), io.BytesIO())


@pytest.mark.parametrize(
    "make",
    [_another_tar, lambda path: path.write_text("hello"), lambda path: path.write_bytes(b"PGDMP" * 500),
     lambda path: path.write_bytes(b""), lambda path: path.mkdir(), lambda path: None],
    ids=["another tar", "a text", "a bare dump", "nothing in it", "a folder", "nothing"],
)  # fmt: skip
def test_what_is_no_archive_is_refused_in_a_sentence(make: Callable[[Path], object], tmp_path: Path) -> None:
    path = tmp_path / "foreign.plumbline"
    make(path)
    with pytest.raises(PlumblineError, match=r"is not an archive of Plumbline|is truncated|cannot be read") as refused:
        archive.opened(path).check()
    assert str(path) in str(refused.value)
    assert refused.value.hint


def test_an_archive_of_a_newer_format_is_refused(made: Path) -> None:
    made.write_bytes(made.read_bytes().replace(b'"format": 1', b'"format": 2'))
    with pytest.raises(PlumblineError, match="another version of Plumbline"):
        archive.opened(made)
