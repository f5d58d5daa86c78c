"""What nox reports of itself: its sessions, and their steps that are no tests. It renders the report after each."""

from __future__ import annotations

import atexit
import os
import platform
import shlex
import shutil
import subprocess
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from servicekit import facts

from plumbline import ROOT
from plumbline.verification.report import files, usual
from plumbline.verification.report.record import FILE, FOLDER, Record

REPORTS = ROOT / "test-artifacts" / "reports"
KEPT = 10
_LINES = 60
"""Lines of a failed step's output that the report shows."""


class Run:
    """One run of nox. It has a folder of its own from its first session on."""

    def __init__(self, reports: Path = REPORTS) -> None:
        self._reports = reports
        self._record: Record | None = None
        self._usual: usual.Usual | None = None
        self._manifest: Any = None

    @contextmanager
    def session(self, session: Any, what: str) -> Iterator[None]:
        """Record a session of nox, and tell its programs where to record."""
        record = self._begun(session)
        record.session = session.name
        session.env[FOLDER] = str(record.folder)
        arguments = shlex.join(session.posargs)
        assert self._usual is not None  # noqa: S101  set with the record
        took = self._usual.session(session.name, arguments)
        session.log(f"{what}{'' if took is None else f' Usually takes {usual.words(took)}.'}")
        record.write("session", what=what, arguments=arguments, python=_python_of(session))
        _rendered(record.folder)
        began = time.monotonic()
        state, why = "passed", ""
        try:
            yield
        except BaseException as error:
            state, why = _state_of(error)
            raise
        finally:
            record.write("session-ended", state=state, why=why, seconds=time.monotonic() - began)
            record.session = ""
            _rendered(record.folder)

    @contextmanager
    def step(self, name: str, guards: str) -> Iterator[IO[str]]:
        """Record a step of a session that is no test. What is written to the yielded file is printed, too."""
        record = self._record
        assert record is not None  # noqa: S101  a step is part of a session
        record.write("began", name=name)
        began = time.monotonic()
        outcome = "passed"
        with _copied() as (output, last):
            try:
                yield output
            except BaseException as error:
                outcome = _state_of(error)[0]
                raise
            finally:
                output.close()
                said = last()
                record.write(
                    "check",
                    name=name,
                    claim=name,
                    guards=guards,
                    outcome=outcome,
                    seconds=time.monotonic() - began,
                    explained={} if outcome == "passed" else _explained(record.session, said),
                    details="" if outcome == "passed" else said,
                )

    def _begun(self, session: Any) -> Record:
        if self._record is None:
            self._usual = usual.of(self._reports)
            self._record = Record(_new_folder(self._reports))
            self._usual.save(self._record.folder)
            self._record.write("run", **_facts())
            # Sessions that an interruption keeps from running are known to nox alone.
            self._manifest = getattr(getattr(session, "_runner", None), "manifest", None)
            waiting = [one.friendly_name for one, is_waiting in self._sessions() if is_waiting]
            self._record.write("planned", sessions=[session.name, *waiting])
            atexit.register(self._finish)
        return self._record

    def _sessions(self) -> list[tuple[Any, bool]]:
        """Return nox's sessions, each with whether it still waits for its turn."""
        return list(self._manifest.list_all_sessions()) if self._manifest else []

    def _finish(self) -> None:
        assert self._record is not None  # noqa: S101  registered with it
        results = {
            one.friendly_name: (one.result.status.name.lower(), one.result.reason or "")
            for one, _ in self._sessions()
            if one.result is not None
        }
        self._record.write("run-ended", results=results)
        page = _rendered(self._record.folder)
        if page is None:
            return
        (self._record.folder / FILE).unlink()
        print(
            f"\nReport: {_relative(page)}\n        {_relative(self._reports / 'latest' / page.name)}", file=sys.stderr
        )


def _explained(session: str, said: str) -> dict[str, str]:
    last = [line for line in said.splitlines() if line.strip()][-5:]
    return {"expected": "exit code 0", "found": "\n".join(last), "next": f"nox -s {session}"}


def _rendered(folder: Path) -> Path | None:
    """Write the report and return its page. What fails here is no failure of what is verified: it is only told."""
    try:
        return files.write(folder)
    except Exception as error:
        traceback.print_exc()
        print(f"The report in {_relative(folder)} cannot be written: {error}", file=sys.stderr)
        return None


def _state_of(error: BaseException) -> tuple[str, str]:
    # Two of these classes of nox have no public name.
    name = type(error).__name__
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", "interrupted (Ctrl-C)"
    if name == "_SessionSkip":
        return "skipped", str(error)
    return "failed", "" if name == "CommandFailed" else f"{name.lstrip('_')}: {error}"


@contextmanager
def _copied() -> Iterator[tuple[IO[str], Callable[[], str]]]:
    """Yield a file whose content is printed as it comes, and a function that returns its last lines at its end."""
    inner, outer = os.pipe()
    lines: deque[str] = deque(maxlen=_LINES)

    def copy() -> None:
        with open(inner, encoding="utf-8", errors="replace", newline="") as source:  # noqa: PTH123  a descriptor
            for line in source:
                sys.stdout.write(line)
                sys.stdout.flush()
                lines.append(line)

    thread = threading.Thread(target=copy, name="output", daemon=True)
    thread.start()

    def last() -> str:
        thread.join(10)
        return "".join(lines)

    with open(outer, "w", encoding="utf-8") as output:  # noqa: PTH123  a descriptor
        yield output, last


def _new_folder(reports: Path) -> Path:
    """Create the run's folder, let `latest` lead to it, and remove the oldest ones."""
    reports.mkdir(parents=True, exist_ok=True)
    for killed in reports.glob(f"*/{FILE}"):
        _rendered(killed.parent)  # or at work: then it writes its page again
    folder = reports / f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}-{os.getpid()}"
    folder.mkdir(mode=0o700)
    link = reports / f".latest-{os.getpid()}"
    link.symlink_to(folder.name)
    link.replace(reports / "latest")
    for old in sorted(one for one in reports.iterdir() if one.is_dir() and not one.is_symlink())[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return folder


def _facts() -> dict[str, Any]:
    return {
        "command": shlex.join(["nox", *sys.argv[1:]]),
        "version": facts.VERSION,
        "commit": _git("rev-parse", "HEAD"),
        "changed_files": len(_git("status", "--porcelain").splitlines()),
        "machine": f"{_system()}, {platform.machine()}, {os.cpu_count()} cores",
        "ci": bool(os.environ.get("CI")),
        "process": os.getpid(),
    }


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


def _python_of(session: Any) -> str:
    return str(session.python or platform.python_version())


def _relative(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
