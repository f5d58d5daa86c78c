"""Diagnostics bundles, and the masking of secrets in them."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from plumbline import diagnose, secret_files
from plumbline.errors import StepError
from plumbline.verification.throwaway import unprivileged


@pytest.fixture
def deployed(home):
    home.prepare()
    secret_files.generate(home.secrets)
    return home


def _everything(folder):
    return "\n".join(path.read_text() for path in folder.rglob("*") if path.is_file())


def test_a_bundle_has_occasion_state_machine_and_logs(deployed, scripted):
    scripted.files = {"logs/backend.log": "a last word", "supervisord.conf": "[supervisord]"}
    try:
        raise StepError("the cause", component="backend")
    except StepError as error:
        folder = diagnose.write_bundle(deployed, scripted, "services", error)
    assert folder.parent == deployed.diagnostics
    assert folder.name.endswith("-services")
    assert folder.stat().st_mode & 0o777 == 0o700
    occasion = (folder / "occasion.txt").read_text()
    assert "the cause" in occasion
    assert "Traceback" in occasion
    assert json.loads((folder / "status.json").read_text())["stack_id"] == "s" * 16
    machine = (folder / "machine.txt").read_text()
    assert "MiB free" in machine
    assert "psycopg==" in machine
    assert (folder / "logs" / "backend.log").read_text() == "a last word\n"
    assert (folder / "supervisord.conf").exists()


@pytest.mark.parametrize("name", list(secret_files.SECRETS))
@pytest.mark.parametrize("value", [None, 'pä"ss\\wo rd/%&', "line end follows\n"])
def test_secrets_are_masked_in_every_encoding(deployed, scripted, name, value):
    path = deployed.secrets / name
    if value is not None:
        path.write_text(value)
    secret = path.read_text().strip()
    spellings = [secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], quote(secret, "")]
    scripted.files = {"logs/backend.log": "\n".join(f"password={one}!" for one in spellings)}
    try:
        raise StepError(f"could not connect with password {secret}")
    except StepError as error:
        text = _everything(diagnose.write_bundle(deployed, scripted, "x", error))
    assert not [one for one in spellings if one in text]
    assert text.count("password=[secret]!") == len(spellings)


def test_a_secret_that_contains_another_is_masked_completely(deployed, scripted):
    (deployed.secrets / "postgres_password").write_text("abcdefgh")
    (deployed.secrets / "token_secret").write_text("abcdefgh-and-the-rest")
    scripted.files = {"logs/x.log": "key abcdefgh-and-the-rest"}
    assert "and-the-rest" not in _everything(diagnose.write_bundle(deployed, scripted, "x"))


def test_an_empty_secret_file_masks_nothing(deployed, scripted):
    (deployed.secrets / "token_secret").write_text("\n")
    scripted.files = {"logs/x.log": "plain words"}
    assert "plain words" in _everything(diagnose.write_bundle(deployed, scripted, "x"))


def test_an_unreadable_secret_does_not_prevent_a_bundle(public_folder, scripted):
    home = type(scripted.home)(public_folder / "home")
    home.prepare()
    home.diagnostics.mkdir()
    home.diagnostics.chmod(0o777)
    home.secrets.chmod(0)
    with unprivileged():
        folder = diagnose.write_bundle(home, scripted, "x")
        assert (folder / "status.json").exists()


def test_text_that_cannot_be_encoded_does_not_prevent_a_bundle(deployed, scripted):
    scripted.files = {"logs/x.log": "before \ud800 after"}
    assert "before ? after" in _everything(diagnose.write_bundle(deployed, scripted, "x"))


def test_the_last_ten_are_kept(deployed, scripted):
    written = [diagnose.write_bundle(deployed, scripted, f"n{number}") for number in range(13)]
    assert sorted(deployed.diagnostics.iterdir()) == written[-10:]
