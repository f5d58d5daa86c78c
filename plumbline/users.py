"""Accounts of a stack, changed by a command of the backend's program, beside the running one, on every target."""

from __future__ import annotations

import getpass
import shlex
import sys

from plumbline.components import BACKEND
from plumbline.errors import PlumblineError
from plumbline.targets.base import Target
from plumbline.terminal import EXIT_FAILED

ACTIONS = ("list", "create", "disable", "enable", "delete", "reset-password", "promote", "demote")
_WITH_PASSWORD = ("create", "reset-password")


def run(
    target: Target,
    action: str,
    username: str | None,
    *,
    display_name: str | None = None,
    is_operator: bool = False,
    as_json: bool = False,
) -> str:
    """Carry out an action and return what it says. Asks for a password if one is needed. Raises PlumblineError."""
    options: list[str] = []
    if action == "list":
        arguments = [action]
        options = ["--json"] if as_json else []
    elif username is None:
        raise PlumblineError(f"no user was named: ./deploy-local.sh user {action} USERNAME")
    else:
        options = [f"--display-name={display_name}"] if display_name is not None else []
        options += ["--operator"] if is_operator else []
        # After `--`, so that no name is taken for an option.
        arguments = [action, "--", username]
    stdin = ""
    if action in _WITH_PASSWORD:
        stdin = f"{_password(shlex.join(['./deploy-local.sh', 'user', action, username or '']))}\n"
    return execute(target, *options, *arguments, stdin=stdin)


def execute(target: Target, *arguments: str, stdin: str = "") -> str:
    """Run `accounts` of the backend's program. The password is on its standard input, in no command line."""
    done = target.execute(BACKEND.name, "accounts", *arguments, stdin=stdin)
    if done.returncode != 0:
        said = done.stderr.strip() or done.stdout.strip() or f"exit status {done.returncode}"
        is_refused = done.returncode == EXIT_FAILED  # in words that say what to do
        raise PlumblineError(said.removeprefix(f"{BACKEND.name}: "), None if is_refused else "./deploy-local.sh status")
    if done.stderr.strip():
        print(done.stderr.strip(), file=sys.stderr)
    return done.stdout.rstrip("\n")


def _password(command: str) -> str:
    """Return a password: asked for twice in a terminal, else the first line of standard input of `command`."""
    if not sys.stdin.isatty():
        password = sys.stdin.readline().rstrip("\r\n")
        if not password:
            raise PlumblineError("there is no password on standard input", hint=f"give it one: {command} < FILE")
        return password
    password = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != password:
        raise PlumblineError("the two passwords differ: nothing was changed")
    return password
