"""The account of Postgres, and the folders that it can enter."""

from __future__ import annotations

import os
import pwd
import subprocess

import pytest

from plumbline.errors import PlumblineError
from plumbline.targets.embedded import accounts
from plumbline.targets.embedded.accounts import Account
from plumbline.verification.throwaway import unprivileged

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="is about what root does")


def test_an_ordinary_user_uses_the_account_that_is_there():
    with unprivileged():
        assert accounts.for_postgres() == Account()
        assert accounts.problem() is None
    assert Account().popen_arguments() == {}


def test_the_callers_own_account_goes_where_the_caller_goes(tmp_path):
    assert Account().can_enter(tmp_path)
    assert not Account().can_enter(tmp_path / "absent")


@ROOT_ONLY
def test_root_gets_an_account_without_rights():
    account = accounts.for_postgres()
    assert account.name == accounts.SYSTEM_USER
    done = subprocess.run(
        ["/usr/bin/id"], capture_output=True, text=True, check=True, cwd="/", **account.popen_arguments()
    )
    assert f"uid={account.uid}({account.name})" in done.stdout
    assert "(root)" not in done.stdout
    assert pwd.getpwnam(account.name).pw_shell in ("/bin/false", "/usr/sbin/nologin")
    assert accounts.for_postgres() == account


@ROOT_ONLY
def test_an_account_is_kept_out_by_any_folder_on_the_way(public_folder):
    account = accounts.for_postgres()
    deep = public_folder / "a" / "b"
    deep.mkdir(parents=True)
    assert account.can_enter(deep)
    (public_folder / "a").chmod(0o700)
    assert not account.can_enter(deep)
    account.own(public_folder / "a")
    assert account.can_enter(deep)


@ROOT_ONLY
def test_a_machine_without_the_user_and_without_useradd_is_refused_before_anything_is_done(monkeypatch):
    monkeypatch.setattr(accounts, "_lookup", lambda: None)
    monkeypatch.setattr(accounts, "_ADMIN_PATH", "/nonexistent")
    assert "create that user, or run as an ordinary user" in accounts.problem()
    with pytest.raises(PlumblineError, match="no useradd"):
        accounts.for_postgres()


@ROOT_ONLY
def test_a_useradd_that_fails_is_quoted(monkeypatch, tmp_path):
    useradd = tmp_path / "useradd"
    useradd.write_text("#!/bin/sh\necho 'useradd: cannot lock /etc/passwd' >&2\nexit 10\n")
    useradd.chmod(0o755)
    monkeypatch.setattr(accounts, "_lookup", lambda: None)
    monkeypatch.setattr(accounts, "_ADMIN_PATH", str(tmp_path))
    monkeypatch.setattr(accounts, "_LOCKED_S", 0.2)
    with pytest.raises(PlumblineError, match="cannot lock /etc/passwd"):
        accounts.for_postgres()
