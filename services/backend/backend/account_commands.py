"""`python -m backend accounts`: lists, creates and changes accounts. Passwords are read from standard input."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable

from backend.administration import Administration, RefusedError, Row
from backend.settings import BackendSettings

_WITH_PASSWORD = ("create", "reset-password")
ACTIONS = ("list", "create", "disable", "enable", "delete", "reset-password", "promote", "demote")
_COLUMNS = ("id", "username", "display_name", "role", "state", "open_sessions")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to its parser."""
    parser.add_argument("action", choices=ACTIONS)
    parser.add_argument("username", nargs="?")
    parser.add_argument("--display-name", help="create: the name that others see (default: the user name)")
    parser.add_argument("--operator", action="store_true", help="create: make the user an operator")
    parser.add_argument("--json", action="store_true", help="list: one JSON document per line")


def run(arguments: argparse.Namespace, settings: BackendSettings) -> None:
    """Carry out one action and print its result. Raises RefusedError with the reason, and as psycopg does."""
    accounts = Administration(settings)
    action, username = arguments.action, arguments.username
    if action == "list":
        users = accounts.users()
        print("\n".join(map(_as_json, users) if arguments.json else _table(users)))
        return
    if not username:
        raise RefusedError(f"name the user: accounts {action} USERNAME")
    if action in _WITH_PASSWORD:
        password = sys.stdin.readline().rstrip("\r\n")
        if not password:
            raise RefusedError("there is no password on standard input")
        if action == "create":
            done = accounts.create(username, password, arguments.display_name, is_operator=arguments.operator)
        else:
            done = accounts.reset_password(username, password)
        print(done)
        return
    changes = {
        "disable": accounts.disable,
        "enable": accounts.enable,
        "delete": accounts.delete,
        "promote": accounts.promote,
        "demote": accounts.demote,
    }
    print(changes[action](username))


def _as_json(user: Row) -> str:
    return json.dumps(user | {"created_at": user["created_at"].isoformat()}, ensure_ascii=False)


def _table(users: list[Row]) -> Iterable[str]:
    shown = [
        user
        | {
            "role": "operator" if user["is_operator"] else "user",
            "state": "disabled" if user["is_disabled"] else "enabled",
        }
        for user in users
    ]
    lines = [_COLUMNS, *(tuple(str(user[name]) for name in _COLUMNS) for user in shown)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        yield "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
