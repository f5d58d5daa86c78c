"""Runs `rotate-secret`, kills it before an action at which it was not killed yet, and again, until it gets to its end.

It is a program of its own, because it forks.
"""

from __future__ import annotations

import hashlib
import os
import signal
import sys
from pathlib import Path
from typing import Any

from plumbline import cli, secret_files
from plumbline.rotation import journal
from plumbline.rotation.rotate import Rotator
from plumbline.targets.compose.target import ComposeTarget
from plumbline.targets.embedded.target import EmbeddedTarget
from plumbline.targets.kubernetes.target import KubernetesTarget

_OF_TARGETS = ("deliver_secrets", "set_redis_passwords", "run", "rotated")
_ACTIONS: tuple[tuple[Any, str], ...] = (
    (secret_files, "write"),
    (secret_files, "write_in_place"),
    (Rotator, "_set_role_password"),
    (Rotator, "_record"),
    (journal, "clear"),
    *((target, name) for target in (EmbeddedTarget, ComposeTarget, KubernetesTarget) for name in _OF_TARGETS),
)
"""Everything that a rotation changes is changed by one of these."""


_MAX_KILLS = 30


class Killer:
    """Kills this process before the first action that is not among those of `killed_at`, a file with one a line."""

    def __init__(self, killed_at: Path) -> None:
        self._file = killed_at
        self._known = set(killed_at.read_text().splitlines())
        self._last = "start"

    def watch(self) -> None:
        """Wrap all actions."""
        for owner, name in _ACTIONS:
            setattr(owner, name, self._killing(getattr(owner, name), name))

    def _killing(self, act: Any, name: str) -> Any:
        def acting(*arguments: Any, **options: Any) -> Any:
            # The action before tells apart those that happen more than once.
            this = f"{self._last}, {name}{_told(arguments)}"
            if this not in self._known:
                with self._file.open("a") as killed_at:
                    killed_at.write(f"{this}\n")
                os.kill(os.getpid(), signal.SIGKILL)
            self._last = f"{name}{_told(arguments)}"
            return act(*arguments, **options)

        return acting


def _told(arguments: tuple[Any, ...]) -> str:
    """Return the file that is written, with a hash of its first line, or the rule for Redis."""
    words = []
    for one in arguments:
        if isinstance(one, Path) and one.is_file():
            words.append(one.name)
        elif isinstance(one, bytes) and b"{" not in one:
            words.append(hashlib.sha256(one.partition(b"\n")[0]).hexdigest()[:6])
        elif one in ("accept", "only"):
            words.append(one)
    return "".join(f" {word}" for word in words)


def main(home: str, name: str, killed_at: Path) -> int:
    """Return the exit code of the command that got to its end."""
    killed_at.touch()
    for _ in range(_MAX_KILLS):
        child = os.fork()
        if not child:
            Killer(killed_at).watch()
            code = cli.main(["rotate-secret", name, "--home", home])
            sys.stdout.flush()
            os._exit(code)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            return os.waitstatus_to_exitcode(status)
    print(f"the rotation does not go on where it was killed: {_MAX_KILLS} commands have not finished it")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
