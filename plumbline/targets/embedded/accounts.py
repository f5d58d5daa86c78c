"""The account of Postgres, which refuses to run as root. If the caller is root, it runs under a system account."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from plumbline.errors import PlumblineError
from plumbline.patience import Patience

SYSTEM_USER = "plumbline"
_LOCKED_S = 20


@dataclass(frozen=True, slots=True)
class Account:
    """The account of a process; None stands for the caller's own."""

    name: str | None = None
    uid: int | None = None
    gid: int | None = None

    def popen_arguments(self) -> dict[str, object]:
        """Return the arguments of subprocess that run a command under this account."""
        if self.uid is None:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def command_prefix(self) -> list[str]:
        """Return the begin of a command line that runs the rest under this account."""
        if self.uid is None:
            return []
        return ["setpriv", f"--reuid={self.uid}", f"--regid={self.gid}", "--clear-groups", "--no-new-privs"]

    def own(self, path: Path) -> None:
        """Make this account the owner of `path`, but not of its contents."""
        if self.uid is not None:
            os.chown(path, self.uid, self.gid if self.gid is not None else -1)

    def can_enter(self, directory: Path) -> bool:
        """Return whether this account can enter `directory`, including all its parents."""
        if self.uid is None:
            return os.access(directory, os.X_OK)
        try:
            done = subprocess.run(
                ["/bin/sh", "-c", 'cd "$1"', "sh", str(directory)],
                cwd="/", capture_output=True, check=False, user=self.uid, group=self.gid, extra_groups=[],
            )  # fmt: skip
        except OSError:
            return False
        return done.returncode == 0


def problem() -> str | None:
    """Return why no unprivileged account is available, or None."""
    if os.geteuid() != 0 or _lookup() is not None or shutil.which("useradd", path=_ADMIN_PATH):
        return None
    return (
        f"Postgres refuses to run as root, there is no user {SYSTEM_USER!r} and no useradd to create it: "
        f"create that user, or run as an ordinary user"
    )


_ADMIN_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def for_postgres() -> Account:
    """Return the account for Postgres: the caller's own, or for root the system user `plumbline`, created if absent."""
    if os.geteuid() != 0:
        return Account()
    found = _lookup()
    if found is None:
        useradd = shutil.which("useradd", path=_ADMIN_PATH)
        if useradd is None:
            raise PlumblineError(problem() or "no unprivileged account")
        patience = Patience(_LOCKED_S)
        done = _create(useradd)
        # Another command may be creating the same user.
        while (found := _lookup()) is None and "lock" in done.stderr and not patience.is_over():
            time.sleep(0.1)
            done = _create(useradd)
        if found is None:
            raise PlumblineError(
                f"useradd could not create the user {SYSTEM_USER!r} for Postgres: {done.stderr.strip()}"
            )
    return Account(SYSTEM_USER, found.pw_uid, found.pw_gid)


def _create(useradd: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [useradd, "--system", "--no-create-home", "--home-dir", "/none", "--shell", "/bin/false", SYSTEM_USER],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def _lookup() -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        return None
