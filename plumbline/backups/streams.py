"""The two streams between an archive and a database: a dump, and its way back. Both run a script beside Postgres."""

from __future__ import annotations

import collections
import contextlib
import shlex
import subprocess
import threading
from collections.abc import Iterator
from typing import IO

from plumbline.backups import archive
from plumbline.errors import PlumblineError
from plumbline.targets.postgres_shell import SCRIPTS

_TRAILER = b"\nend of the dump\n"
_DIFFERS = 4
_DIGEST = f"digest={shlex.quote((SCRIPTS / 'digest.sql').read_text())}\n"
DUMP = _DIGEST + (SCRIPTS / "dump.sh").read_text()
RESTORE = _DIGEST + (SCRIPTS / "restore.sh").read_text()
CONTENTS = f"""{_DIGEST}psql --dbname="$connection" --no-psqlrc --quiet --no-align --tuples-only \\
    --field-separator=$'\\t' --set=ON_ERROR_STOP=1 \\
    <<<"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; $digest"
"""
_FULL = ("No space left on device", "could not extend file")
_MORE_SPACE = "free some disk space where the data of Postgres is, then restore again"
_NOISE = ("pg_dump: ", "pg_restore: ", "Defaulted container")


class DiffersError(PlumblineError):
    """A restored database is not what its archive says."""


class _Running:
    """A process whose stderr is read while it runs. Leaving the context ends it."""

    def __init__(self, command: list[str]) -> None:
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )  # fmt: skip
        self._said: collections.deque[str] = collections.deque(maxlen=40)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> _Running:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                stream.close()  # type: ignore[union-attr]
        self._reader.join()

    def _read(self) -> None:
        assert self.process.stderr is not None  # noqa: S101  for mypy
        with self.process.stderr as stream:
            for line in stream:
                self._said.append(line.decode(errors="replace").rstrip())

    def end(self) -> int:
        """Wait for its end and return its exit code."""
        self.process.wait()
        self._reader.join()
        return self.process.returncode

    def why(self) -> str:
        """Return why it failed: the lines that are not mere progress."""
        errors = [line for line in self._said if "error" in line.lower() or "fatal" in line.lower()]
        lines = errors or [line for line in self._said if not line.startswith(_NOISE)] or list(self._said)
        return "\n".join(lines[-5:]) or f"exit code {self.process.returncode}"

    @property
    def said(self) -> list[str]:
        """The last lines that it printed."""
        return list(self._said)


def contents(command: list[str]) -> archive.Contents:
    """Run `CONTENTS` and return what is in the database. Raises PlumblineError."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise PlumblineError(f"the database cannot be read: {done.stderr.strip()[-500:]}", "./deploy-local.sh doctor")
    return archive.parsed(done.stdout.splitlines())


@contextlib.contextmanager
def dumping(command: list[str]) -> Iterator[tuple[archive.Contents, Iterator[bytes]]]:
    """Run `DUMP` and yield contents and dump of one moment. The dump raises PlumblineError if it fails."""
    with _Running(command) as running:
        stdin, stdout = running.process.stdin, running.process.stdout
        assert stdin is not None  # noqa: S101  for mypy
        assert stdout is not None  # noqa: S101  for mypy
        stdin.close()
        lines: list[str] = []
        for line in stdout:
            lines.append(line.decode().rstrip("\n"))
            if lines[-1] == "dump":
                break
        if not lines or lines[-1] != "dump":
            running.end()
            raise _failed(running)
        yield archive.parsed(lines[:-1]), _dump(running, stdout)


def _dump(running: _Running, stdout: IO[bytes]) -> Iterator[bytes]:
    held = b""
    while chunk := stdout.read(archive.CHUNK):
        held += chunk
        if len(held) > len(_TRAILER):
            yield held[: -len(_TRAILER)]
            held = held[-len(_TRAILER) :]
    if running.end() != 0 or held != _TRAILER:
        raise _failed(running)


def _failed(running: _Running) -> PlumblineError:
    return PlumblineError(
        f"the database could not be dumped: {running.why()}",
        hint="./deploy-local.sh doctor shows what is not running; the stack was not changed",
    )


def restore(command: list[str], dump: Iterator[bytes]) -> None:
    """Run `RESTORE`. Raises PlumblineError if it failed, DiffersError if it differed; then nothing was replaced."""
    with _Running(command) as running:
        stdin = running.process.stdin
        assert stdin is not None  # noqa: S101  for mypy
        try:
            for chunk in dump:
                stdin.write(chunk)
            stdin.close()
        except BrokenPipeError:  # it has failed, and says why
            pass
        code = running.end()
        if code == _DIFFERS:
            found = [line for line in running.said if line.startswith(("<", ">"))]
            raise DiffersError("\n".join(["what was restored is not what the archive says:", *found[:10]]))
        if code != 0:
            raise PlumblineError(
                f"the dump could not be restored, and nothing was replaced: {running.why()}",
                hint=_MORE_SPACE if any(words in running.why() for words in _FULL) else "./deploy-local.sh doctor",
            )
