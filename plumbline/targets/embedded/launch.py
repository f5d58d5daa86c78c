"""Executes a program with its output in a log file: `launch.py LOG ACCOUNT PROGRAM ARGUMENT…`; ACCOUNT may be "".

With a pipe to the supervisor, a program would block when the supervisor hangs and the pipe's 64 KiB are full. The file
is opened before the account changes, because the account cannot enter its folder.
"""

import os
import pwd
import sys


def main(log: str, account: str, program: str, *arguments: str) -> None:
    """Replace this process by the program."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    try:
        if account and os.geteuid() == 0:
            entry = pwd.getpwnam(account)
            os.initgroups(account, entry.pw_gid)
            os.setgid(entry.pw_gid)
            os.setuid(entry.pw_uid)
        os.execv(program, [program, *arguments])  # noqa: S606  no shell on purpose
    except (OSError, KeyError) as error:
        sys.exit(f"{program} cannot be run: {error}")


if __name__ == "__main__":
    main(*sys.argv[1:])
