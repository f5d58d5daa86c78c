"""Accounts of a stack, changed by a command of the backend's program, beside the running one, on every target."""

from __future__ import annotations

import getpass
import sys

from plumbline.components import BACKEND
from plumbline.errors import PlumblineError
from plumbline.targets.base import Target

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
    stdin = f"{_password()}\n" if action in _WITH_PASSWORD else ""
    return execute(target, *options, *arguments, stdin=stdin)


def execute(target: Target, *arguments: str, stdin: str = "") -> str:
    """Run `accounts` of the backend's program. The password is on its standard input, in no command line."""
    done = target.execute(BACKEND.name, "accounts", *arguments, stdin=stdin)
    if done.returncode != 0:
        said = done.stderr.strip() or done.stdout.strip() or f"exit status {done.returncode}"
        raise PlumblineError(said.removeprefix(f"{BACKEND.name}: "), hint="./deploy-local.sh status; user --help")
    if done.stderr.strip():
        print(done.stderr.strip(), file=sys.stderr)
    return done.stdout.rstrip("\n")


def _password() -> str:
    """Return a password: asked for twice in a terminal, else the first line of standard input."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != password:
        raise PlumblineError("the two passwords differ: nothing was changed")
    return password
