"""Each way in which a secret can be known to others is found, and nothing else."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable
from pathlib import Path

import pytest

from plumbline import ROOT, secret_files
from plumbline.inside import Inside, Process
from plumbline.verification.checks import generated, secrecy


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    for name in ("secrets", "logs", "run", "data"):
        (home / name).mkdir(parents=True, mode=0o700)
        (home / name).chmod(0o700)
    home.chmod(0o700)
    secret_files.generate(home / "secrets")
    return home


def inside(*processes: Process, secrets_shared: bool = False) -> Inside:
    return Inside(processes, frozenset(), {}, isolated=False, secrets_shared=secrets_shared)


def process(*command: str, **environment: str) -> Process:
    return Process("backend", "", 7, 1, 1000, command, environment)


def found(home: Path, seen: Inside) -> list[str]:
    values, problems = secrecy.read(home)
    return [
        *problems,
        *secrecy.readable(home, seen),
        *secrecy.weak(values),
        *secrecy.constant(values, [one.secrets for one in generated.by(ROOT)]),
        *secrecy.in_processes(values, seen),
        *secrecy.in_files(values, home),
    ]


def test_new_secrets_have_no_findings(home: Path) -> None:
    running = process("python", "-m", "backend", PLUMBLINE_TOKEN_SECRET_FILE=str(home / "secrets/token_secret"))
    assert found(home, inside(running)) == []
    secret_files.share_with_containers(home / "secrets")
    assert found(home, inside(running, secrets_shared=True)) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda home: (home / "secrets").chmod(0o755), "/secrets: has mode 755; expected 700"),
        (lambda home: (home / "secrets/token_secret").chmod(0o640), "token_secret: has mode 640; expected 600"),
        (lambda home: (home / "run").chmod(0o777), "/run: has mode 777; expected 700"),
        (lambda home: (home / "secrets/redis_password").unlink(), "redis_password does not exist"),
        (
            lambda home: (home / "secrets/redis_password").write_text("aaaaaaaaaaaaaaaa"),
            "redis_password: can be guessed",
        ),
        (
            lambda home: (home / "secrets/redis_password").write_text((home / "secrets/token_secret").read_text()),
            "token_secret and redis_password are equal",
        ),
        (
            lambda home: (home / "secrets/redis_password").write_text("the password of every Redis of these tests"),
            "redis_password: its value is written in ",
        ),
        (
            lambda home: (home / "run/conf").write_text(f"x={(home / 'secrets/token_secret').read_text()}"),
            "/run/conf: holds token_secret; expected it in",
        ),
    ],
)
def test_every_weakness_is_found(home: Path, change: Callable[[Path], None], said: str) -> None:
    change(home)
    assert any(said in finding for finding in found(home, inside()))


@pytest.mark.parametrize(
    "spell", [str, lambda value: base64.b64encode(value.encode()).decode(), lambda v: v.encode().hex()]
)
def test_a_secret_in_an_environment_or_command_line_is_found(home: Path, spell: Callable[[str], str]) -> None:
    value = spell((home / "secrets/postgres_password").read_text())
    assert found(home, inside(process("x", f"--password={value}"))) == [
        "backend: process 7 has postgres_password in its command line; expected the path of its file"
    ]
    assert found(home, inside(process("x", URL=f"postgresql://app_user:{value}@db"))) == [
        "backend: process 7 has postgres_password in its variable URL; expected the path of its file"
    ]


def test_a_secret_in_a_log_is_found(home: Path) -> None:
    values, _ = secrecy.read(home)
    logs = {"caddy": ["started", f"token {values['internal_secret']}"], "redis": ["started"]}
    assert [*secrecy.in_logs(values, logs)] == ["caddy: its log holds internal_secret; expected it in no log"]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("x" * 43, "new stack 1 and new stack 2 get the same value"),
        (secrets.token_hex(4), "gets 8 characters; expected at least 32"),
    ],
    ids=["constant", "short"],
)
def test_weak_generated_secrets_are_found(home: Path, value: str, said: str) -> None:
    values, _ = secrecy.read(home)
    assert any(said in finding for finding in secrecy.constant(values, [dict.fromkeys(secrecy.NAMES, value)] * 2))
