"""Generation, checks and normalisation of secret files; every reader reads the same value."""

from __future__ import annotations

import json
import os
import subprocess

import pytest
import requests
from servicekit.secrets import SecretError, read_secret

from plumbline import ROOT, secret_files
from plumbline.net import free_port, is_free
from plumbline.secret_files import SECRETS
from plumbline.targets.embedded.programs import find_caddy
from plumbline.verification.throwaway import unprivileged, wait_until


@pytest.mark.parametrize("mask", [0o000, 0o077])
def test_secrets_are_generated_private_and_without_a_line_end(tmp_path, mask):
    before = os.umask(mask)
    try:
        assert secret_files.generate(tmp_path) == list(SECRETS)
    finally:
        os.umask(before)
    values = [(tmp_path / name).read_bytes() for name in SECRETS]
    assert {(tmp_path / name).stat().st_mode & 0o777 for name in SECRETS} == {0o600}
    assert len(set(values)) == len(SECRETS)
    assert all(len(value) >= 32 and value.strip() == value for value in values)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(secret_files.readable_by(SECRETS))
    assert secret_files.problems(tmp_path) == []
    assert read_secret(tmp_path / "token_secret")


def test_two_stacks_have_different_secrets(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        secret_files.generate(tmp_path / name)
    assert (tmp_path / "a" / "token_secret").read_text() != (tmp_path / "b" / "token_secret").read_text()


def test_secrets_added_by_a_new_version_are_generated(tmp_path):
    old = ("postgres_password", "token_secret", "operator_password")
    for name in old:
        (tmp_path / name).write_text(f"the {name} of before")
    assert secret_files.generate(tmp_path) == ["redis_password", "internal_secret"]
    assert [(tmp_path / name).read_text() for name in old] == [f"the {name} of before" for name in old]
    assert read_secret(tmp_path / "redis_password") != read_secret(tmp_path / "internal_secret")


def test_existing_secrets_are_not_changed(tmp_path):
    (tmp_path / "token_secret").write_text("mine, and long enough\n")
    assert secret_files.generate(tmp_path) == [name for name in SECRETS if name != "token_secret"]
    assert secret_files.generate(tmp_path) == []
    assert (tmp_path / "token_secret").read_text() == "mine, and long enough\n"


@pytest.mark.parametrize("at", ["os.fsync", "pathlib.Path.rename"])
def test_an_interrupted_generation_leaves_no_partial_secret(tmp_path, monkeypatch, at):
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(at, killed)
        with pytest.raises(KeyboardInterrupt):
            secret_files.generate(tmp_path)
    assert not [name for name in SECRETS if (tmp_path / name).exists()]
    assert secret_files.generate(tmp_path) == list(SECRETS)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(secret_files.readable_by(SECRETS))


def test_missing_secrets_are_no_problem(tmp_path):
    assert secret_files.problems(tmp_path) == []
    assert secret_files.problems(tmp_path / "absent") == []


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [
        ("", 0o600, "is empty"),
        ("changeme", 0o600, "placeholder"),
        ("one line\nand another\n", 0o600, "more than one line"),
        ("short", 0o600, "fewer than"),
        ("long enough to pass", 0o640, "chmod 600"),
        ("long enough to pass", 0o604, "chmod 600"),
    ],
)
def test_a_bad_secret_is_named_with_a_solution(tmp_path, content, mode, said):
    path = tmp_path / "operator_password"
    path.write_text(content)
    path.chmod(mode)
    (problem,) = secret_files.problems(tmp_path)
    assert said in problem
    assert str(path) in problem
    assert "long enough" not in problem


def test_unreadable_secrets_and_broken_links_are_problems(public_folder):
    (public_folder / "token_secret").write_text("long enough to pass")
    (public_folder / "token_secret").chmod(0)
    (public_folder / "operator_password").symlink_to(public_folder / "nowhere")
    with unprivileged():
        problems = secret_files.problems(public_folder)
    assert ["cannot be read by this user" in problem for problem in problems] == [True, False]
    assert "does not exist" in problems[1]


def test_the_target_of_a_link_is_not_made_readable(tmp_path):
    folder = tmp_path / "secrets"
    folder.mkdir(mode=0o700)
    secret_files.generate(folder)
    elsewhere = (folder / "token_secret").rename(tmp_path / "mine")
    (folder / "token_secret").symlink_to(elsewhere)
    (problem,) = secret_files.problems(folder, shared_with_containers=True)
    assert f"{folder / 'token_secret'} is a link" in problem
    secret_files.share_with_containers(folder)
    assert elsewhere.stat().st_mode & 0o777 == 0o600


AROUND = [b"%b", b"%b\n", b"%b\r\n", b"\xef\xbb\xbf%b\r\n", b" %b \n\n", b"\t%b\v\f", b"\n%b"]
VALUES = ["correct horse", 'it\'s a "pass" $word \\ \t!', "pä ss🙂wort\u00a0"]
REFUSED = [b"", b" \n", b"\xef\xbb\xbf\n", b"one-half-0\nother-half", b"one-half-0\r\nother-half", b"long-enough\0",
           "long-enough".encode("utf-16"), "long-enough".encode("utf-16-be")]  # fmt: skip


def _shell(path):
    """Return the secret that docker/postgres/start.sh reads, None if it refuses."""
    script = ROOT / "docker" / "postgres" / "start.sh"
    functions = "/^refuse()/,/^}/p;/^read_secret()/,/^}/p"
    done = subprocess.run(
        ["bash", "-c", 'set -euo pipefail; eval "$(sed -n "$1" "$2")"; read_secret "$3"', "-", functions, script, path],
        capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 78), done.stderr
    return done.stdout.decode() if done.returncode == 0 else None


def _redis(path, folder):
    """Return the secret that docker/redis/redis.sh reads, None if it refuses."""
    told = folder / "told.json"
    done = subprocess.run(
        ["sh", ROOT / "docker" / "redis" / "redis.sh", "tell", told], capture_output=True, check=False,
        env={"PATH": os.defpath, "PLUMBLINE_REDIS_PASSWORD_FILE": str(path), "PLUMBLINE_REDIS_URL": "url"},
    )  # fmt: skip
    assert done.returncode in (0, 78), done.stderr
    return json.loads(told.read_bytes(), strict=False)["url"] if done.returncode == 0 else None


def _python(path):
    try:
        return read_secret(path)
    except SecretError:
        return None


@pytest.mark.parametrize("around", AROUND)
def test_every_reader_reads_the_same_secret(tmp_path, around):
    path = tmp_path / "token_secret"
    for value in VALUES:
        path.write_bytes(around.replace(b"%b", value.encode()))
        assert (_python(path), _shell(path), _redis(path, tmp_path)) == (value, value, value)


@pytest.mark.parametrize("content", REFUSED)
def test_every_reader_refuses_invalid_secrets(tmp_path, content):
    path = tmp_path / "token_secret"
    path.write_bytes(content)
    assert (_python(path), _shell(path), _redis(path, tmp_path)) == (None, None, None)


def test_tidy_leaves_only_the_secret_in_the_file(tmp_path):
    secret_files.generate(tmp_path)
    path = tmp_path / "internal_secret"
    path.write_bytes(b"\xef\xbb\xbfcorrect horse \r\n")
    path.chmod(0o444)
    secret_files.tidy(tmp_path)
    assert path.read_bytes() == b"correct horse", "Caddy would send the whole content"
    assert path.stat().st_mode & 0o777 == 0o444
    before = (tmp_path / "token_secret").stat()
    secret_files.tidy(tmp_path)
    assert (tmp_path / "token_secret").stat() == before


def test_caddy_reads_the_same_secret_after_tidy(tmp_path):
    written = dict(zip(SECRETS, AROUND[:2] + AROUND[3:6], strict=True))
    value = VALUES[2]
    for name, around in written.items():
        (tmp_path / name).write_bytes(around.replace(b"%b", value.encode()))
    secret_files.tidy(tmp_path)
    port = free_port()
    routes = "\n".join(f'respond /{name} "{{file.{tmp_path / name}}}"' for name in SECRETS)
    (tmp_path / "Caddyfile").write_text(f"{{\nadmin off\n}}\nhttp://127.0.0.1:{port} {{\n{routes}\n}}\n")
    command = [str(find_caddy()), "run", "--config", str(tmp_path / "Caddyfile")]
    with subprocess.Popen(command, env={"HOME": str(tmp_path)}, stderr=subprocess.DEVNULL) as caddy:
        try:
            wait_until(lambda: not is_free(port), "Caddy")
            assert [requests.get(f"http://127.0.0.1:{port}/{name}", timeout=10).content for name in SECRETS] == [
                value.encode()
            ] * len(SECRETS)
        finally:
            caddy.terminate()


def test_the_target_of_a_link_is_not_changed_but_checked(tmp_path):
    folder = tmp_path / "secrets"
    folder.mkdir()
    secret_files.generate(folder)
    elsewhere = (folder / "token_secret").rename(tmp_path / "mine")
    (folder / "token_secret").symlink_to(elsewhere)
    assert secret_files.problems(folder) == []
    elsewhere.write_bytes(b"correct horse\n")
    secret_files.tidy(folder)
    assert elsewhere.read_bytes() == b"correct horse\n"
    (problem,) = secret_files.problems(folder)
    assert "write only the value to that file" in problem


def test_a_fingerprint_changes_with_its_secret_only(tmp_path):
    secret_files.generate(tmp_path)
    assert secret_files.fingerprints(tmp_path) == {}, "no key yet"
    before = secret_files.fingerprints(tmp_path, make_key=True)
    assert before.keys() == SECRETS.keys()
    assert (tmp_path / secret_files.KEY).stat().st_mode & 0o777 == 0o600
    path = tmp_path / "token_secret"
    path.write_bytes(path.read_bytes() + b"\r\n")
    assert secret_files.fingerprints(tmp_path) == before, "a line end changes nothing"
    path.write_text("something else")
    after = secret_files.fingerprints(tmp_path)
    assert {name for name in SECRETS if after[name] != before[name]} == {"token_secret"}
    (tmp_path / secret_files.KEY).unlink()
    assert not {*secret_files.fingerprints(tmp_path, make_key=True).values()} & {*after.values()}


def test_a_secret_that_cannot_be_read_has_no_fingerprint(tmp_path):
    secret_files.generate(tmp_path)
    secret_files.fingerprints(tmp_path, make_key=True)
    (tmp_path / "token_secret").write_text("")
    assert secret_files.fingerprints(tmp_path) == {}
