"""The home of one stack: its state, secrets, data and logs in one folder, so that several can run side by side."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal, TextIO

from plumbline.errors import PlumblineError

_FORMAT = 1
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
            raw = json.loads(self._state.read_text())
        except FileNotFoundError:
            return State()
        except (OSError, ValueError) as error:
            raise PlumblineError(f"the state file {self._state} cannot be read: {error}", self._WAY_OUT) from None
        if not isinstance(raw, dict) or not isinstance(raw.get("ports"), dict):
            raise PlumblineError(f"the state file {self._state} holds something else than a state", self._WAY_OUT)
        if raw.get("format") != _FORMAT:
            raise PlumblineError(
                f"{self._state} was written by another version of Plumbline (format {raw.get('format')!r})",
                hint="use that version, or choose another folder with --home",
            )
        known = State.__dataclass_fields__
        return State(**{name: value for name, value in raw.items() if name in known})

    _WAY_OUT = "restore the file; or end the processes that run from that folder, delete it, and deploy anew"

    def save(self, state: State, **changes: object) -> State:
        """Remember `state` with `changes`, atomically, and return it."""
        state = replace(state, **changes)  # type: ignore[arg-type]
        partial = self._state.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(state), indent=2) + "\n")
        partial.replace(self._state)
        return state

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
            handle.write(f"'{doing}' (pid {os.getpid()})")
            handle.flush()
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
