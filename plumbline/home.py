"""The home of one stack: a folder with its state, secrets, data and logs."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import stat
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from plumbline import ROOT, home_files, home_lock, terminal
from plumbline.errors import PlumblineError
from plumbline.settings import file as settings_file

DEFAULT_HOME = ROOT / ".plumbline"
_USE_ANOTHER = "choose another folder with --home: an empty or a new one"
_FORMAT = 1
_ALWAYS_WRITTEN = {"format", "target", "stack_id", "sources", "programs", "phase", "deployed_at", "ports"}
_KEPT = "\N{NO-BREAK SPACE}"
"""Stands for a space at which no line is broken."""
_COMMAND = re.compile(
    r"\./deploy-local\.sh"
    r"(?: (?:up|down|status|logs|reset|doctor|backup|restore|rollback|rotate-secret \S+|service (?:install|remove))\b)?"
)
Phase = Literal["absent", "deploying", "ready", "down"]


@dataclass(frozen=True, slots=True)
class State:
    """The saved state of a stack. Times are ISO 8601, UTC."""

    format: int = _FORMAT
    target: str = ""
    stack_id: str = ""
    sources: str = ""
    programs: str = ""
    phase: Phase = "absent"
    deployed_at: str | None = None
    ports: dict[str, int] = field(default_factory=dict)
    settings: list[dict[str, Any]] = field(default_factory=list)
    secrets: dict[str, str] = field(default_factory=dict)
    release: str = ""
    """Empty: that of the checkout; else the name of a `plumbline.plan.Lineup`."""
    snapshot: str = ""
    """Archive of the database that was made before the stack went to the baseline; empty: none."""
    restore: str = ""
    """That archive, if the data were dropped: the next deployment with Postgres restores it."""
    deployed: dict[str, str] = field(default_factory=dict)
    """`version` and `commit` of the release that was ready last."""
    earlier: list[dict[str, str]] = field(default_factory=list)
    """Those of the releases before it, oldest first."""
    https: dict[str, Any] = field(default_factory=dict)
    """The HTTPS of the front door, empty for HTTP."""
    backups: dict[str, Any] = field(default_factory=dict)
    """`every` and `keep` of the backups that the cluster makes; empty: none."""
    started_with: dict[str, str] = field(default_factory=dict)
    """Fingerprints of secrets that were rotated since, with which components were started."""


class _UnreadableError(Exception):
    """A state file cannot be parsed."""


def _read(path: Path) -> State:
    """Return the state in a file. Raises FileNotFoundError, _UnreadableError, or PlumblineError for another version."""
    try:
        raw = json.loads(path.read_text())
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise _UnreadableError(f"the state file {path} cannot be read: {error}") from None
    if not isinstance(raw, dict) or not isinstance(raw.get("ports"), dict):
        raise _UnreadableError(f"the state file {path} does not contain a stack's state")
    if raw.get("format") != _FORMAT:
        raise PlumblineError(
            f"{path} was written by another version of Plumbline (format {raw.get('format')!r})",
            hint="use that version, or choose another folder with --home",
        )
    state = State(**{name: value for name, value in raw.items() if name in State.__dataclass_fields__})
    texts = (
        state.target, state.stack_id, state.sources, state.programs, state.phase,
        state.release, state.snapshot, state.restore,
    )  # fmt: skip
    tables = (state.secrets, state.deployed, state.started_with, state.https, state.backups)
    kinds = (type(state.settings), type(state.earlier), *map(type, tables))
    if {type(text) for text in texts} != {str} or {type(port) for port in state.ports.values()} - {int}:
        raise _UnreadableError(f"the state file {path} does not contain a stack's state")
    if kinds != (list, list, *(dict for _ in tables)):
        raise _UnreadableError(f"the state file {path} does not contain a stack's state")
    return state


def _is_state(path: Path) -> bool:
    """Return whether the file contains a state, also of versions without a marker."""
    with contextlib.suppress(OSError, ValueError):
        raw = json.loads(path.read_text())
        return isinstance(raw, dict) and raw.keys() >= _ALWAYS_WRITTEN
    return False


def write_privately(place: Path, text: str) -> None:
    """Write a file atomically, readable for its owner only."""
    partial = place.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())  # otherwise a power failure could leave an empty file
    partial.replace(place)


class Home:
    """The folder of one stack. Creating a Home object changes nothing on disk; `prepare` does."""

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().absolute()
        self.secrets = self.root / "secrets"
        self.settings = self.root / home_files.SETTINGS
        self.logs = self.root / "logs"
        self.run = self.root / "run"
        self.data = self.root / "data"
        self.tls = self.root / "tls"
        self.diagnostics = self.root / "diagnostics"
        self.bundle = self.root / "bundle"
        self._state = self.root / "state.json"
        self._copy = self.root / "state.copy.json"

    @property
    def exists(self) -> bool:
        """Whether a stack was deployed here. Raises PlumblineError if the folder cannot be read."""
        try:
            return self._state.exists() and self.is_home
        except OSError as error:
            raise PlumblineError(f"{self.root} cannot be read: {error.strerror}", hint=_USE_ANOTHER) from None

    @property
    def is_home(self) -> bool:
        """Whether this folder is a home: it has the marker, or the state of a version without one."""
        return home_lock.has_marker(self.root) or _is_state(self._state) or _is_state(self._copy)

    def refusal(self) -> str | None:
        """Return why this folder cannot become a home, or None if it can or is one. Protects users' files."""
        try:
            if self.is_home:
                return None
            if any(self.root.resolve().is_relative_to(folder) for folder in home_files.SOURCES):
                return f"{self.root} is inside the sources of the checkout: images would contain its secrets"
            if not self.root.exists():
                return f"{self.root} is a link to a folder that does not exist" if self.root.is_symlink() else None
            unknown = home_files.unknown(self.root, home_files.PREPARED)
        except OSError as error:
            return f"{self.root} cannot be used: {error.strerror}"
        if not unknown:
            return None
        named = ", ".join(unknown[:3]) + (f" and {len(unknown) - 3} more" if len(unknown) > 3 else "")
        return f"{self.root} is not empty and is not the home of a stack: {named}"

    def with_home_option(self, text: str) -> str:
        """Return `text` with `--home` added to each deploy-local.sh command, so that it works on this home."""
        return _COMMAND.sub(lambda command: command[0] + self._option, text)

    @property
    def _option(self) -> str:
        return "" if self.root == DEFAULT_HOME else f" --home {shlex.quote(str(self.root))}"

    def note(self, text: str) -> str:
        """Return `text` with `--home`, indented and wrapped."""
        return self._wrapped(text, "  ", "    ", terminal.WIDTH)

    def fitted(self, text: str, first: str = "", others: str = "  ") -> str:
        """Return `text` with `--home` after `first`, in lines that fit the terminal, if one reads them."""
        width = terminal.width()
        begins = [first, *(others if first else "" for _ in text.splitlines()[1:])]
        lines = zip(begins, text.splitlines() or [""], strict=True)
        if width is None:
            return "\n".join(begin + self.with_home_option(line) for begin, line in lines)
        return "\n".join(self._wrapped(line, begin, others, width) for begin, line in lines)

    def _wrapped(self, text: str, first: str, others: str, width: int) -> str:
        """Break a line between words. Commands stay whole, so that they can be copied."""
        kept = _COMMAND.sub(lambda command: (command[0] + self._option).replace(" ", _KEPT), text)
        kept = kept.replace(" --", f"{_KEPT}--").replace(" < ", f"{_KEPT}<{_KEPT}")
        return terminal.wrapped(kept, first, others, width).replace(_KEPT, " ")

    def prepare(self) -> None:
        """Create missing folders, and restrict access to the owner. Raises PlumblineError."""
        self._check_usable()
        home_lock.make_folder(self.root)
        home_lock.mark(self.root)
        for folder in (self.data, self.secrets, self.logs, self.run):
            home_lock.make_folder(folder)
        if not os.path.lexists(self.settings):  # do not write through a user's link
            self.settings.write_text(settings_file.HEADER)
        self._restrict_access()

    def _restrict_access(self) -> None:
        """Restrict access to the owner. As root, Postgres's own account needs to reach its data."""
        passage = 0o711 if os.geteuid() == 0 else 0o700
        own = os.geteuid()
        modes = dict.fromkeys((self.root, self.data), passage)
        modes |= dict.fromkeys((self.secrets, self.logs, self.run, self.diagnostics, self.bundle), 0o700)
        files = (home_files.MARKER, home_files.SETTINGS, "lock", "state.json", "state.copy.json", "kubernetes.json")
        modes |= {self.root / name: 0o600 for name in files}
        for path, mode in modes.items():
            with contextlib.suppress(FileNotFoundError):
                found = path.lstat()
                ours = found.st_uid == own and not stat.S_ISLNK(found.st_mode)
                if ours and stat.S_IMODE(found.st_mode) != mode:
                    path.chmod(mode)

    def _check_usable(self) -> None:
        refusal = self.refusal()
        if refusal:
            raise PlumblineError(refusal, hint=_USE_ANOTHER)

    def load(self) -> State:
        """Return the saved state, or an empty one. Raises PlumblineError if it cannot be read."""
        if not self.exists:
            return State()
        try:
            return _read(self._state)
        except FileNotFoundError:
            return State()
        except _UnreadableError as error:
            raise PlumblineError(str(error), hint=self._recovery_hint()) from None

    def _recovery_hint(self) -> str:
        try:
            _read(self._copy)
        except (FileNotFoundError, _UnreadableError, PlumblineError):
            return "restore the file; or stop the processes that run from that folder, delete it, and deploy again"
        return "./deploy-local.sh doctor --repair restores it"

    def repair(self) -> bool:
        """Restore an unreadable state file from its copy; return whether that was needed. Raises PlumblineError."""
        if not self.exists:
            return False
        try:
            _read(self._state)
        except FileNotFoundError:
            return False
        except _UnreadableError as error:
            try:
                state = _read(self._copy)
            except (FileNotFoundError, _UnreadableError) as trouble:
                raise PlumblineError(
                    f"{error}. Its copy is not usable either: {trouble}", hint=self._recovery_hint()
                ) from None
            self.save(state)
            return True
        return False

    def save(self, state: State, **changes: object) -> State:
        """Write `state` with `changes` atomically, with a copy for `repair`, and return it. Raises PlumblineError."""
        state = replace(state, **changes)  # type: ignore[arg-type]
        for place in (self._state, self._copy):
            try:
                write_privately(place, json.dumps(asdict(state), indent=2) + "\n")
            except OSError as error:
                raise PlumblineError(
                    f"the state file {place} cannot be written: {error.strerror}",
                    hint="free some disk space, then run the same command again",
                ) from None
        return state

    def save_down(self, state: State) -> State:
        """Save that the stack is down. Ignores errors, so that a stack can be stopped on a full disk."""
        try:
            return self.save(state, phase="down")
        except PlumblineError:
            return replace(state, phase="down")

    @contextlib.contextmanager
    def lock(self, command: str) -> Iterator[None]:
        """Lock this home for one command that changes it. Raises PlumblineError, which names the other command."""
        self._check_usable()
        with contextlib.ExitStack() as exit_stack:
            try:
                exit_stack.enter_context(home_lock.hold(self.root, command, self._is_unused))
                self._restrict_access()
            except OSError as error:
                raise PlumblineError(f"{self.root} cannot be used: {error.strerror}", hint=_USE_ANOTHER) from None
            yield

    def lock_holder(self) -> str | None:
        """Return the command that changes this home right now, with its process, if there is one."""
        return home_lock.holder(self.root)

    def _is_unused(self) -> bool:
        return not self.exists and not home_files.unknown(self.root, {**home_files.PREPARED, home_files.MARKER: None})

    def remove(self) -> list[str]:
        """Delete the stack's files, and the folder if it is empty then; return descriptions of what was kept.

        If anything was kept, the marker stays, so that a stack can be deployed here again.
        """
        with contextlib.suppress(OSError, ValueError):
            if self.settings.read_text(encoding="utf-8") == settings_file.HEADER:
                self.settings.unlink()
        last = {str(self.root / name) for name in (*home_files.STATE, home_files.MARKER)}
        kept = [one for one in home_files.remove(self.root, home_files.HOME) if one not in last]
        home_files.remove(self.root, home_files.STATE)
        if not kept:
            (self.root / home_files.MARKER).unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # a link, or a mount point
                self.root.rmdir()
        return kept
