"""What a fault is: a change to a right stack, and the checks that must go red because of it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from plumbline import ROOT

UP = "up"
"""In the place of components to restart: the whole deployment is made again, from the changed checkout."""
FRESH = "fresh"
"""The same, in a new home: for what is only done when a stack is created."""
_PROCESSOR = "services/data-processor/data_processor"
# Redis as well where a fault may leave entries in the recorder that the checks of the next one would see.
_RESTARTS: dict[str, tuple[str, ...]] = {
    "services/backend/": ("backend",),
    f"{_PROCESSOR}/batches/": ("data-processor", "worker"),
    f"{_PROCESSOR}/documents/files/": ("data-processor", "worker"),
    f"{_PROCESSOR}/jobs/": ("data-processor", "worker"),
    f"{_PROCESSOR}/applying/": ("data-processor", "worker"),
    f"{_PROCESSOR}/reading/": ("data-processor", "worker"),
    "services/data-processor/": ("data-processor",),
    "services/log-sink/": ("redis", "log-sink"),
    "services/servicekit/": ("redis", "log-sink", "backend", "data-processor"),
    "docker/caddy/Caddyfile": ("redis", "caddy"),
    "docker/redis/": ("redis",),
    "plumbline/": (UP,),
}


class CatalogueError(Exception):
    """A fault cannot be made as the catalogue says."""


class Stack(Protocol):
    """What a change can do to the stack that it spoils."""

    checkout: Path
    home: Path

    @property
    def cluster(self) -> Path:
        """The data directory of Postgres."""

    def execute(self, statement: str) -> None:
        """Execute SQL as the application's role."""

    def administer(self, statement: str) -> None:
        """Execute SQL as the superuser, in single-user mode."""


class Change(Protocol):
    """One change to a stack, which can be taken back."""

    @property
    def restarts(self) -> tuple[str, ...]:
        """What has to start again before the change, or its end, takes effect."""

    def apply(self, stack: Stack) -> None:
        """Spoil the stack."""

    def revert(self, stack: Stack) -> None:
        """Put it right again."""


@dataclass(frozen=True, slots=True)
class Patch:
    """Replaces `old`, which stands exactly once in a file of the checkout."""

    file: str
    old: str
    new: str
    restart: tuple[str, ...] | None = None

    @property
    def restarts(self) -> tuple[str, ...]:
        """The parts that run from the file."""
        if self.restart is not None:
            return self.restart
        return next((parts for place, parts in _RESTARTS.items() if self.file.startswith(place)), ())

    def patched(self, text: str) -> str:
        """Return the file's text with the fault in it. Raises CatalogueError."""
        found = text.count(self.old)
        if found != 1:
            raise CatalogueError(f"{self.file} holds the text to replace {found} times, not once: {self.old!r}")
        if self.old == self.new:
            raise CatalogueError(f"the patch of {self.file} changes nothing")
        return text.replace(self.old, self.new)

    def check(self) -> None:
        """Raise CatalogueError unless the patch applies to this checkout, and leaves a program that can be read."""
        place = ROOT / self.file
        if not place.exists():
            raise CatalogueError(f"there is no file {self.file}")
        text = self.patched(place.read_text())
        if self.file.endswith(".py"):
            try:
                compile(text, self.file, "exec")
            except SyntaxError as error:
                raise CatalogueError(f"{self.file} is no Python with the patch in it: {error}") from None

    def apply(self, stack: Stack) -> None:
        """Write the fault into the file."""
        place = stack.checkout / self.file
        place.write_text(self.patched(place.read_text()))

    def revert(self, stack: Stack) -> None:
        """Put back the file as it was."""
        shutil.copy2(ROOT / self.file, stack.checkout / self.file)


@dataclass(frozen=True, slots=True)
class Sql:
    """Changes the schema or the rows of the running database as its owner can."""

    statement: str
    back: str
    restarts: tuple[str, ...] = ()

    def apply(self, stack: Stack) -> None:
        """Execute the statement."""
        stack.execute(self.statement)

    def revert(self, stack: Stack) -> None:
        """Execute what takes it back."""
        stack.execute(self.back)


@dataclass(frozen=True, slots=True)
class Superuser:
    """Changes the cluster as only its superuser can; Postgres is restarted."""

    statement: str
    back: str
    restarts: tuple[str, ...] = ("postgres",)

    def apply(self, stack: Stack) -> None:
        """Execute the statement."""
        stack.administer(self.statement)

    def revert(self, stack: Stack) -> None:
        """Execute what takes it back."""
        stack.administer(self.back)


@dataclass(frozen=True, slots=True)
class ClusterFile:
    """Writes one more line into a file of the Postgres cluster: at its end, or `first`."""

    file: str
    line: str
    first: bool = False
    restarts: tuple[str, ...] = ("postgres",)

    def apply(self, stack: Stack) -> None:
        """Write the line."""
        place = stack.cluster / self.file
        text = place.read_text()
        place.write_text(f"{self.line}\n{text}" if self.first else f"{text}\n{self.line}\n")

    def revert(self, stack: Stack) -> None:
        """Take the line out."""
        place = stack.cluster / self.file
        place.write_text(place.read_text().replace(f"{self.line}\n", "", 1))


@dataclass(frozen=True, slots=True)
class Mode:
    """Lets other accounts do more with a file or folder of the home than they may."""

    path: str
    mode: int
    right: int = 0o600
    restarts: tuple[str, ...] = ()

    def apply(self, stack: Stack) -> None:
        """Open it."""
        (stack.home / self.path).chmod(self.mode)

    def revert(self, stack: Stack) -> None:
        """Close it again."""
        (stack.home / self.path).chmod(self.right)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: its name, what it is, how it is made, and each check that must see it with a phrase of its message.

    A check is named as `smoke/test_health.py::test_every_component_runs`, with brackets where one case alone is meant.
    Beside the suites: `start` (a part did not start again), `up`, `the stack` (it is not whole), `left behind` (what
    checks created cannot be deleted), `docs`, `docs: site` and `manifests: NAME`.
    """

    name: str
    what: str
    how: Change
    red: Mapping[str, str]
    only: bool = False
    """Make only these checks: much else goes red, too, and waits long before it does."""
