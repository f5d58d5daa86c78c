"""A secret has two valid values during a rotation; both are read again when their files change."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from servicekit import rotating, tokens
from servicekit.inside import InternalSecret
from servicekit.rotating import RotatingSecret, Value, read_others, text_of
from servicekit.secrets import SecretError
from servicekit.signing import SigningKeys
from servicekit.tokens import Identity, TokenError

OLD, NEW, FOREIGN = (f"a {kind} key for tests that is long enough" for kind in ("former", "new", "foreign"))
ADA = Identity(7, "ada")


def write(file: Path, text: str) -> None:
    """Write with a time of its own, as a rotation does."""
    before = file.stat().st_mtime_ns if file.exists() else 0
    file.write_text(text)
    os.utime(file, ns=(before + 10**9, before + 10**9))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The file of a secret."""
    path = tmp_path / "token_secret"
    write(path, OLD)
    return path


def also(file: Path, text: str) -> None:
    write(file.with_name(f"{file.name}_also"), text)


def texts(secret: RotatingSecret) -> list[str]:
    return [value.text for value in secret.accepted()]


def why_refused(keys: SigningKeys, token: str) -> str:
    """Return why a token is refused once the files of the keys have been looked at again."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            keys.verify(token)
        except TokenError as error:
            return str(error)
        time.sleep(rotating.RECENT_S / 10)
    raise AssertionError("the token is still accepted")


def test_one_value_without_a_rotation(file):
    secret = RotatingSecret(file)
    assert secret.accepted() == (Value(OLD),)
    also(file, "")
    assert secret.accepted() == (Value(OLD),)


def test_each_step_of_a_rotation_is_seen_without_a_restart(file):
    secret = RotatingSecret(file)
    also(file, NEW)
    assert (secret.current(), texts(secret)) == (OLD, [OLD, NEW])
    also(file, f"{OLD}\n{time.time() + 60:.0f}")
    assert (secret.current(), texts(secret)) == (OLD, [OLD])
    write(file, NEW)
    assert (secret.current(), texts(secret)) == (NEW, [NEW, OLD])
    also(file, "")
    assert (secret.current(), texts(secret)) == (NEW, [NEW])


def test_each_of_several_former_values_ends_at_its_time(file):
    now = time.time()
    lasting, ended, next_one = (f"a {kind} value of some length" for kind in ("lasting", "ended", "next"))
    also(file, text_of([Value(next_one), Value(lasting, now + 60), Value(ended, now - 1)]))
    secret = RotatingSecret(file)
    assert texts(secret) == [OLD, next_one, lasting]
    assert read_others(file.with_name(f"{file.name}_also"))[0] == Value(next_one)


def test_a_value_ends_at_its_time(file):
    also(file, f"{NEW}\n{time.time() - 1:.0f}")
    assert texts(RotatingSecret(file)) == [OLD]


@pytest.mark.parametrize("broken", ["", "short", None])
def test_while_the_file_is_unusable_the_last_value_stays(file, broken):
    secret = RotatingSecret(file)
    if broken is None:
        file.unlink()
    else:
        write(file, broken)
    assert secret.current() == OLD
    with pytest.raises(SecretError):
        RotatingSecret(file)


def test_sessions_outlive_a_change_of_the_key_and_end_with_the_former_one(file):
    keys = SigningKeys(file)
    before = tokens.issue(keys.current(), ADA, tokens.new_session_id(), 3600)
    until = int(time.time()) + 60
    also(file, f"{OLD}\n{until}")
    write(file, NEW)
    after = tokens.issue(keys.current(), ADA, tokens.new_session_id(), 3600)
    assert keys.accepted() == (NEW, OLD)
    for _ in range(2):  # the second time from the cache
        assert keys.verify(after).expires_at > until
        assert keys.verify(before).expires_at == until, "no session of the former key outlives it"
    also(file, "")
    assert keys.verify(after).identity == ADA
    assert "not signed by this stack" in why_refused(keys, before)


def test_sessions_outlive_several_changes_of_the_key(file):
    keys = SigningKeys(file)
    sessions, former = [], []
    for number in range(4):
        sessions.append(tokens.issue(keys.current(), ADA, tokens.new_session_id(), 3600))
        former.insert(0, Value(keys.current(), int(time.time()) + 60))
        also(file, text_of(former))
        write(file, f"{NEW} {number}")
    assert [keys.verify(session).identity for session in sessions] == [ADA] * 4


def test_a_session_of_a_former_key_that_has_ended_is_refused(file):
    keys = SigningKeys(file)
    before = tokens.issue(OLD, ADA, tokens.new_session_id(), 3600)
    assert keys.verify(before)
    also(file, f"{OLD}\n{int(time.time()) - 1}")
    write(file, NEW)
    assert why_refused(keys, before)


def test_a_foreign_key_is_refused_during_a_rotation(file):
    also(file, NEW)
    with pytest.raises(TokenError) as caught:
        SigningKeys(file).verify(tokens.issue(FOREIGN, ADA, tokens.new_session_id(), 3600))
    assert caught.value.suspicious


def test_many_requests_look_at_the_files_once_but_none_is_refused_without_a_look(file, monkeypatch):
    looks = []
    look = RotatingSecret._stamps
    monkeypatch.setattr(RotatingSecret, "_stamps", lambda self: looks.append(self) or look(self))
    monkeypatch.setattr(rotating, "RECENT_S", 3600)
    secret, keys = InternalSecret(file), SigningKeys(file)
    before = tokens.issue(OLD, ADA, tokens.new_session_id(), 3600)
    keys.verify(before)
    looks.clear()
    assert all(secret.matches(OLD.encode()) and keys.verify(before) for _ in range(10))
    assert not looks
    write(file, NEW)
    assert secret.matches(NEW.encode())
    assert keys.verify(tokens.issue(NEW, ADA, tokens.new_session_id(), 3600))
    assert not secret.matches(OLD.encode())
    with pytest.raises(TokenError):
        keys.verify(before)


def test_both_internal_secrets_are_accepted_during_a_rotation(file):
    secret = InternalSecret(file)
    also(file, NEW)
    assert secret.matches(OLD.encode())
    assert secret.matches(NEW.encode())
    assert not secret.matches(FOREIGN.encode())
    assert secret.current() == OLD.encode()


def test_the_deployments_own_token_is_accepted_during_a_rotation(file):
    keys = SigningKeys(file)
    also(file, f"{OLD}\n{time.time() + 60:.0f}")
    write(file, NEW)
    for key, accepted in ((OLD, True), (NEW, True), (FOREIGN, False)):
        assert keys.is_of_deployment(tokens.issue_for_deployment(key, 60)) is accepted
