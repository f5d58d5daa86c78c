"""Becomes a program that writes to a log file of its own: `launch.py LOG ACCOUNT PROGRAM ARGUMENT…`; ACCOUNT may be "".

Through a pipe of the supervisor, a program would stand still as soon as the supervisor does: 64 KiB later. The file is
opened here, before the account changes, because its folder is closed to the account.
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
        os.execv(program, [program, *arguments])  # noqa: S606  a shell is what it is not to be
    except (OSError, KeyError) as error:
        sys.exit(f"{program} cannot be run: {error}")


if __name__ == "__main__":
    main(*sys.argv[1:])
