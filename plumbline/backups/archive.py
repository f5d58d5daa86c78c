"""An archive: one tar file with manifest.json, app_db.dump (Postgres's custom format) and SHA256SUMS, in this order.

It can be checked and restored without Plumbline, too: `tar xf`, `sha256sum --check SHA256SUMS`, `pg_restore`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from plumbline.errors import PlumblineError

FORMAT = 1
MANIFEST, DUMP, SUMS = "manifest.json", "app_db.dump", "SHA256SUMS"
CHUNK = 1 << 20
_NOT_OURS = "is not an archive of Plumbline"


@dataclass(frozen=True, slots=True)
class Table:
    """A table at the moment of the backup. `checksum` is a hash of all rows, `bytes` what they took on disk."""

    name: str
    rows: int
    checksum: str
    bytes: int
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Contents:
    """What was in a database at one moment. `revisions`: name of a migration chain to its revision."""

    revisions: dict[str, str]
    tables: tuple[Table, ...]

    def expected(self) -> str:
        """Return the lines that docker/postgres/digest.sql prints for the same contents, without sizes."""
        lines = [f"revision\t{chain}\t{revision}" for chain, revision in sorted(self.revisions.items())]
        lines += [f"table\t{one.name}\t{one.rows}\t{one.checksum}\t{','.join(one.columns)}" for one in self.tables]
        return "".join(f"{line}\n" for line in lines)

    @property
    def bytes(self) -> int:
        """Size of all tables on disk."""
        return sum(one.bytes for one in self.tables)

    @property
    def rows(self) -> int:
        """Number of rows of all tables."""
        return sum(one.rows for one in self.tables)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an archive says about itself. `made_at` is ISO 8601, UTC; `commit` is "" if the release was not in git."""

    made_at: str
    reason: str
    release: str
    commit: str
    target: str
    stack_id: str
    contents: Contents
    format: int = FORMAT

    def text(self) -> str:
        """Return it as JSON."""
        return json.dumps(asdict(self), indent=1) + "\n"

    @staticmethod
    def parsed(text: bytes) -> Manifest:
        """Return the manifest in `text`. Raises ValueError or LookupError if there is none."""
        raw: dict[str, Any] = json.loads(text)
        tables = tuple(Table(**{**one, "columns": tuple(one["columns"])}) for one in raw["contents"]["tables"])
        contents = Contents(dict(raw["contents"]["revisions"]), tables)
        return Manifest(**{**raw, "contents": contents})


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive on disk. `dump_bytes` is the size of its dump."""

    path: Path
    manifest: Manifest
    dump_bytes: int

    def check(self, progress: Callable[[int], None] = lambda _: None) -> None:
        """Read all of it. Raises PlumblineError if it is truncated, or not what was written."""
        for _ in self.dump(progress):
            pass

    def dump(self, progress: Callable[[int], None] = lambda _: None) -> Iterator[bytes]:
        """Yield the dump. At its end raises PlumblineError if the archive is truncated, or not what was written."""
        with _reading(self.path), tarfile.open(self.path, "r:") as tar:
            sums = {}
            for name in (MANIFEST, DUMP):
                digest = hashlib.sha256()
                with _member(tar, name) as member:
                    done = 0
                    while chunk := member.read(CHUNK):
                        digest.update(chunk)
                        done += len(chunk)
                        if name == DUMP:
                            progress(done)
                            yield chunk
                sums[name] = digest.hexdigest()
            with _member(tar, SUMS) as member:
                kept = member.read()
        if kept != _sums(sums):
            raise PlumblineError(
                f"{self.path} was changed after it was written: its checksums do not match",
                hint="use another archive: ./deploy-local.sh backup list",
            )


def opened(path: Path) -> Archive:
    """Return the archive in a file. Raises PlumblineError if it is none, or of a newer format."""
    with _reading(path), tarfile.open(path, "r:") as tar:
        names = []
        for info in tar:
            names.append(info.name)
            if len(names) == 1 and names != [MANIFEST]:
                raise PlumblineError(f"{path} {_NOT_OURS}", hint="./deploy-local.sh backup list shows those there are")
        if names != [MANIFEST, DUMP, SUMS]:
            raise PlumblineError(f"{path} is truncated: it has no {(DUMP, SUMS)[len(names) > 1]}", hint=_ANOTHER)
        with _member(tar, MANIFEST) as member:
            text = member.read()
        if not isinstance(found := json.loads(text), dict) or found.get("format") != FORMAT:
            raise PlumblineError(
                f"{path} was written by another version of Plumbline", hint="use that version, or a newer one"
            )
        return Archive(path, Manifest.parsed(text), tar.getmember(DUMP).size)


_ANOTHER = "use another archive: ./deploy-local.sh backup list"


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        # tarfile raises its own errors below, and OSError("unexpected end of data") for a truncated member.
        if error.errno is None:
            raise PlumblineError(f"{path} is truncated: {error}", hint=_ANOTHER) from None
        raise PlumblineError(f"{path} cannot be read: {error.strerror}", hint=_ANOTHER) from None
    except (tarfile.TarError, EOFError, ValueError, LookupError, TypeError) as error:
        truncated = "unexpected end" in str(error) or "truncated" in str(error)
        raise PlumblineError(f"{path} {'is truncated' if truncated else _NOT_OURS}", hint=_ANOTHER) from None


def _member(tar: tarfile.TarFile, name: str) -> contextlib.AbstractContextManager[Any]:
    file = tar.extractfile(name)
    if file is None:
        raise KeyError(name)
    return file


def _sums(digests: dict[str, str]) -> bytes:
    return "".join(f"{digest}  {name}\n" for name, digest in digests.items()).encode()


def write(file: BinaryIO, manifest: Manifest, dump: Iterator[bytes]) -> int:
    """Write an archive to a file that can seek, and return the size of its dump."""
    digests = {MANIFEST: _add(file, MANIFEST, iter([manifest.text().encode()]))[1]}
    size, digests[DUMP] = _add(file, DUMP, dump)
    _add(file, SUMS, iter([_sums(digests)]))
    file.write(bytes(2 * tarfile.BLOCKSIZE))
    file.flush()
    os.fsync(file.fileno())
    return size


def _add(file: BinaryIO, name: str, chunks: Iterator[bytes]) -> tuple[int, str]:
    """Append a member of unknown size, and return its size and hash. Its header is written last."""
    start = file.tell()
    file.write(bytes(tarfile.BLOCKSIZE))
    size, digest = 0, hashlib.sha256()
    for chunk in chunks:
        file.write(chunk)
        digest.update(chunk)
        size += len(chunk)
    file.write(bytes(-size % tarfile.BLOCKSIZE))
    end = file.tell()
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    file.seek(start)
    file.write(info.tobuf(tarfile.GNU_FORMAT))
    file.seek(end)
    return size, digest.hexdigest()


def parsed(lines: list[str]) -> Contents:
    """Return the contents that the lines of docker/postgres/digest.sql describe."""
    revisions, tables = {}, []
    for kind, name, *rest in (line.split("\t") for line in lines):
        if kind == "revision":
            revisions[name] = rest[0]
        else:
            rows, checksum, columns, size = rest
            tables.append(Table(name, int(rows), checksum, int(size), tuple(columns.split(","))))
    return Contents(revisions, tuple(tables))
