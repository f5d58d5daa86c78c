"""Records what checks create in a stack, and deletes it at the end of the run.

A killed run leaves its file; the next run on the same stack deletes what that file lists.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import psycopg
import requests

from plumbline import ROOT, net
from plumbline.errors import PlumblineError
from plumbline.stack import Stack
from plumbline.verification.checks import rows

PREFIX = "plumbline-check-"
"""Prefix of every name that checks create."""
FOLDER = ROOT / ".plumbline-checks"

_TIMEOUT_S = 30
_ROWS = """
    SELECT (SELECT count(*) FROM users WHERE NOT is_operator) AS users, (SELECT count(*) FROM channels) AS channels,
           (SELECT count(*) FROM invites) AS invites
"""
"""All other rows that checks create belong to one of these."""


@dataclass
class Account:
    """A user registered by a check, with their channels."""

    username: str
    password: str
    channels: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Leftover:
    """Something that could not be deleted, and why."""

    what: str
    reason: str


class Run:
    """Everything that one run of the suites creates. The run holds a lock on its file."""

    def __init__(self, stack: Stack, folder: Path = FOLDER) -> None:
        self._base_url = stack.base_url
        self._name = PREFIX + secrets.token_hex(3)
        self._accounts: dict[str, Account] = {}
        self._path = folder / f"{self._name}.jsonl"
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            self._file = os.fdopen(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "r+")
        except OSError as error:
            raise PlumblineError(
                f"{folder}, where checks record what they create, cannot be written to ({error.strerror}): "
                "change its owner to yourself, or delete it"
            ) from None
        fcntl.flock(self._file, fcntl.LOCK_EX)
        self._write({"stack": _key(stack)})

    def new_name(self) -> str:
        """Return a new name."""
        return f"{self._name}-{secrets.token_hex(3)}"

    def record_account(self, username: str, password: str) -> None:
        """Record an account before it is registered."""
        self._accounts[username] = Account(username, password)
        self._write({"username": username, "password": password})

    def record_password(self, username: str, password: str) -> None:
        """Record the new password of an account."""
        self._accounts[username].password = password
        self._write({"username": username, "password": password})

    def record_channel(self, username: str, channel_id: int) -> None:
        """Record a channel that a user has created."""
        self._accounts[username].channels.append(channel_id)
        self._write({"username": username, "channel": channel_id})

    def delete(self) -> list[Leftover]:
        """Delete everything; return what could not be deleted. The file then stays for the next run."""
        left = _delete_all(self._base_url, self._name, self._accounts.values())
        if not left:
            self._path.unlink()
        self._file.close()
        return left

    def _write(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()


def delete_leftovers_of_killed_runs(stack: Stack, folder: Path = FOLDER) -> list[Leftover]:
    """Delete what killed runs left in this stack; return what could not be deleted."""
    left: list[Leftover] = []
    for path, file in _files_of_ended_runs(folder):
        lines = [json.loads(line) for line in file if line.endswith("\n")]
        where = lines[0]["stack"] if lines else ""
        if where == _key(stack):
            of_this = _delete_all(stack.base_url, path.stem, _accounts(lines[1:]))
            left += of_this
            if not of_this:
                path.unlink()
        elif where.startswith("/") and not Path(where).exists():
            path.unlink()
    return left


def leftover_rows(stack: Stack) -> list[Leftover]:
    """Return what is left in the database of a stack that only checks have used."""
    try:
        with rows.connect(stack) as database:
            held = database.execute(_ROWS).fetchone() or {}
    except psycopg.Error as error:
        return [Leftover("the database's content", " ".join(str(error).split()))]
    why = "created by a check without plumbline.verification.checks.client.User, which records what to delete"
    return [Leftover(f"{count} of {table}", why) for table, count in held.items() if count]


def _key(stack: Stack) -> str:
    return stack.home or stack.base_url


def _files_of_ended_runs(folder: Path) -> Iterator[tuple[Path, TextIO]]:
    """Yield the files of runs that have ended: nothing locks them."""
    for path in sorted(folder.glob(f"{PREFIX}*.jsonl")):
        try:
            file = path.open()
        except OSError:
            continue  # belongs to another user
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield path, file


def _accounts(lines: list[dict[str, Any]]) -> list[Account]:
    accounts: dict[str, Account] = {}
    for line in lines:
        if "channel" in line:
            accounts[line["username"]].channels.append(line["channel"])
        elif line["username"] in accounts:
            accounts[line["username"]].password = line["password"]
        else:
            accounts[line["username"]] = Account(line["username"], line["password"])
    return list(accounts.values())


def _delete_all(base_url: str, run: str, accounts: Iterable[Account]) -> list[Leftover]:
    left = []
    for account in accounts:
        try:
            reason = _delete(base_url, run, account)
        except (requests.RequestException, ValueError, KeyError) as error:
            reason = f"{error.__class__.__name__}: {error}"
        if reason:
            left.append(Leftover(account.username, f"{reason}; the next run on this stack tries again"))
    return left


def _delete(base_url: str, run: str, account: Account) -> str | None:
    """Delete a user's channels with their content, then the user; return why that failed, or None."""
    with net.direct_session() as http:
        form = {"username": account.username, "password": account.password}
        login = http.post(f"{base_url}/auth/login", data=form, timeout=_TIMEOUT_S)
        if login.status_code == 401:
            return None  # never registered, or already deleted
        if login.status_code != 200:
            return f"the login was answered {login.status_code}"
        user_id = login.json()["user"]["id"]
        http.headers["Authorization"] = f"Bearer {login.json()['access_token']}"
        # Also channels that a killed run did not record: all names contain the run's.
        found = http.get(f"{base_url}/channels/search?name={run}&limit=100", timeout=_TIMEOUT_S)
        mine = [one["id"] for one in found.json()["items"] if one["created_by"] == user_id or one["is_direct"]]
        for channel in {*account.channels, *mine}:
            gone = http.delete(f"{base_url}/channels/{channel}", timeout=_TIMEOUT_S)
            if gone.status_code not in (204, 404):
                return f"deleting channel {channel} was answered {gone.status_code}"
        gone = http.delete(f"{base_url}/auth/me", json={"password": account.password}, timeout=_TIMEOUT_S)
        return None if gone.status_code == 204 else f"deleting the account was answered {gone.status_code}"
