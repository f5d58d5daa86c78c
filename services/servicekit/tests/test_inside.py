"""Only requests with the internal secret are served, except for health; a new secret is valid once it is written."""

from __future__ import annotations

import pytest
from servicekit.inside import OPEN_PATHS, InternalSecret, refusal
from servicekit.secrets import SecretError

from plumbline.components import HEALTH_PATHS
from plumbline.verification.throwaway import INTERNAL_SECRET

SHOWN = INTERNAL_SECRET.encode()


@pytest.mark.parametrize("shown", [None, b"", b"x", SHOWN[:-1], SHOWN + b"x", SHOWN.upper(), SHOWN + SHOWN])
def test_only_the_secret_matches(secret, shown):
    assert not secret.matches(shown)
    assert secret.matches(SHOWN)


def test_only_health_is_served_without_the_secret(secret):
    assert set(HEALTH_PATHS.values()) < OPEN_PATHS
    for path in OPEN_PATHS:
        assert secret.admits(path, None)
    for path in ("/", "/channels/", "/health/", "//health", "/health/../channels/", "/logs/entries", "/logs/health/x"):
        assert not secret.admits(path, None)
        assert secret.admits(path, SHOWN)


def test_a_new_secret_is_valid_at_once_and_the_old_one_invalid(secret, tmp_path):
    (tmp_path / "internal_secret").write_text("another secret altogether")
    assert secret.matches(b"another secret altogether")
    assert not secret.matches(SHOWN)
    assert secret.current() == b"another secret altogether"


def test_while_the_file_holds_no_secret_the_last_one_stays_valid(secret, tmp_path):
    (tmp_path / "internal_secret").write_text("")
    assert not secret.matches(b"")
    assert secret.matches(SHOWN)
    (tmp_path / "internal_secret").unlink()
    assert not secret.matches(b"anything")
    assert secret.current() == SHOWN


def test_a_byte_order_mark_and_white_space_are_ignored(secret):
    # Caddy sends the whole file.
    assert secret.matches(b"\xef\xbb\xbf" + SHOWN + b" \r")


def test_a_missing_secret_file_is_an_error(tmp_path):
    with pytest.raises(SecretError, match="does not exist"):
        InternalSecret(tmp_path / "none")


def test_the_refusal_names_the_front_door():
    assert (refusal()["status"], refusal()["code"]) == (403, "front_door_only")
    assert "front door" in refusal()["detail"]
