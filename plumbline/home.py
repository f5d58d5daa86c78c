"""The home of one stack: its state, secrets, data and logs in one folder, so that several can run side by side."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal, TextIO

from plumbline import ROOT
from plumbline.errors import PlumblineError

DEFAULT_HOME = ROOT / ".plumbline"
_FORMAT = 1
_COMMAND = re.compile(r"\./deploy-local\.sh(?: (?:up|down|status|logs|reset|doctor)\b)?")
Phase = Literal["absent", "deploying", "ready", "down"]


@dataclass(frozen=True, slots=True)
class State:
    """What is remembered about a stack between two commands. Times are ISO 8601, UTC."""

    format: int = _FORMAT
    target: str = ""
    stack_id: str = ""
    sources: str = ""
    programs: str = ""
    phase: Phase = "absent"
    deployed_at: str | None = None
    ports: dict[str, int] = field(default_factory=dict)


class _UnreadableError(Exception):
    """A state file holds no state."""


def _read(path: Path) -> State:
    """Return the state in a file.

    Raises FileNotFoundError, _UnreadableError if it holds no state, or PlumblineError if it is of another version.
    """
    try:
        raw = json.loads(path.read_text())
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise _UnreadableError(f"the state file {path} cannot be read: {error}") from None
    if not isinstance(raw, dict) or not isinstance(raw.get("ports"), dict):
        raise _UnreadableError(f"the state file {path} holds something else than a state")
    if raw.get("format") != _FORMAT:
        raise PlumblineError(
            f"{path} was written by another version of Plumbline (format {raw.get('format')!r})",
            hint="use that version, or choose another folder with --home",
        )
    state = State(**{name: value for name, value in raw.items() if name in State.__dataclass_fields__})
    texts = (state.target, state.stack_id, state.sources, state.programs, state.phase)
    if {type(text) for text in texts} != {str} or {type(port) for port in state.ports.values()} - {int}:
        raise _UnreadableError(f"the state file {path} holds something else than a state")
    return state


def _write(place: Path, text: str) -> None:
    partial = place.with_suffix(".partial")
    with partial.open("w") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())  # else a power cut could leave an empty file under the right name
    partial.replace(place)


class Home:
    """The folder of one stack. Making a Home changes nothing on disk; `prepare` does."""

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().absolute()
        self.secrets = self.root / "secrets"
        self.logs = self.root / "logs"
        self.run = self.root / "run"
        self.data = self.root / "data"
        self.diagnostics = self.root / "diagnostics"
        self._state = self.root / "state.json"
        self._copy = self.root / "state.copy.json"
        self._lock = self.root / "lock"

    @property
    def exists(self) -> bool:
        """Say whether a stack was ever deployed here."""
        try:
            return self._state.exists()
        except OSError as error:
            raise PlumblineError(
                f"{self.root} cannot be read: {error.strerror}", hint="choose another folder with --home"
            ) from None

    def named_in(self, text: str) -> str:
        """Return `text` with `--home` in each command of deploy-local.sh, so that it works on this home."""
        if self.root == DEFAULT_HOME:
            return text
        option = f" --home {shlex.quote(str(self.root))}"
        return _COMMAND.sub(lambda command: command[0] + option, text)

    def prepare(self) -> None:
        """Create the folders that are missing. The root is open to other accounts' passage, its secrets are not."""
        for folder, mode in (
            (self.root, 0o755), (self.data, 0o755), (self.secrets, 0o700), (self.logs, 0o700), (self.run, 0o700),
        ):  # fmt: skip
            if not folder.exists():
                folder.mkdir(parents=True)
                folder.chmod(mode)

    def load(self) -> State:
        """Return the remembered state; that of a stack never deployed if there is none."""
        try:
            return _read(self._state)
        except FileNotFoundError:
            return State()
        except _UnreadableError as error:
            raise PlumblineError(str(error), hint=self._way_out()) from None

    def _way_out(self) -> str:
        try:
            _read(self._copy)
        except (FileNotFoundError, _UnreadableError, PlumblineError):
            return "restore the file; or end the processes that run from that folder, delete it, and deploy anew"
        return "./deploy-local.sh doctor --repair puts back what was in it"

    def repair(self) -> bool:
        """Put the copy of an unreadable state file back; say whether that was needed. Raises PlumblineError."""
        try:
            _read(self._state)
        except FileNotFoundError:
            return False
        except _UnreadableError as error:
            try:
                state = _read(self._copy)
            except (FileNotFoundError, _UnreadableError) as trouble:
                raise PlumblineError(f"{error}. Its copy does not help: {trouble}", hint=self._way_out()) from None
            self.save(state)
            return True
        return False

    def save(self, state: State, **changes: object) -> State:
        """Remember `state` with `changes`, atomically, and return it. A copy of it is for `repair`.

        Raises PlumblineError where it cannot be written.
        """
        state = replace(state, **changes)  # type: ignore[arg-type]
        for place in (self._state, self._copy):
            try:
                _write(place, json.dumps(asdict(state), indent=2) + "\n")
            except OSError as error:
                raise PlumblineError(
                    f"the state file {place} cannot be written: {error.strerror}",
                    hint="make room on its disk, then the same again",
                ) from None
        return state

    def save_down(self, state: State) -> State:
        """Remember that the stack is down, if its disk has room for that: it has to be stopped on a full one, too."""
        try:
            return self.save(state, phase="down")
        except PlumblineError:
            return replace(state, phase="down")

    @contextlib.contextmanager
    def lock(self, doing: str) -> Iterator[None]:
        """Hold this home for one command that changes it; another one meanwhile is refused by name."""
        try:
            missing = [folder for folder in (self.root, *self.root.parents) if not folder.exists()]
            handle = self._open_lock()
        except OSError as error:
            raise PlumblineError(
                f"{self.root} cannot be used: {error.strerror}", hint="choose another folder with --home"
            ) from None
        with handle:
            handle.truncate(0)
            with contextlib.suppress(OSError):  # on a full disk the holder is nameless
                os.write(handle.fileno(), f"'{doing}' (pid {os.getpid()})".encode())
            try:
                yield
            finally:
                with contextlib.suppress(OSError):
                    handle.truncate(0)
                    if not self.exists:  # nothing was deployed, so nothing stays
                        self._lock.unlink(missing_ok=True)
                        for folder in missing:
                            folder.rmdir()

    def _open_lock(self) -> TextIO:
        while True:
            self.root.mkdir(parents=True, exist_ok=True)
            handle = self._lock.open("a+")
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                with handle:
                    handle.seek(0)
                    holder = handle.read().strip() or "another command"
                raise PlumblineError(
                    f"{holder} is working on {self.root} right now", hint="wait for it to end, then try again"
                ) from None
            # The holder before may have deleted the file between the opening and the locking.
            if self._lock.exists() and os.path.samestat(self._lock.stat(), os.fstat(handle.fileno())):
                return handle
            handle.close()

    def remove(self) -> None:
        """Delete the whole home."""
        shutil.rmtree(self.root, ignore_errors=False)
