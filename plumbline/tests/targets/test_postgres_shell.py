"""Scripts beside Postgres: connected as the application's role, with the password in no environment or command line."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from plumbline.stack import PostgresAddress
from plumbline.targets import postgres_shell
from plumbline.targets.embedded import accounts, postgres
from plumbline.verification.throwaway import PostgresServer


@pytest.fixture
def address(postgres_server: PostgresServer) -> PostgresAddress:
    server = postgres_server
    return PostgresAddress(server.host, server.port, server.database, server.user, str(server.password_file))


def run(command: list[str], stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    binaries, _ = postgres.place(Path("/nowhere"), accounts.Account(), Path("/tmp/x"))
    path = {"PATH": f"{binaries}:{os.defpath}"}
    return subprocess.run(command, input=stdin, capture_output=True, check=False, env=path, timeout=60)


def test_a_program_of_postgres_runs_on_the_database_with_this_process_s_streams(address: PostgresAddress) -> None:
    command = postgres_shell.connected(postgres_shell.RUN_PROGRAM, address, ("psql", "--tuples-only", "--no-align"))
    done = run(command, b"SELECT current_user || ' on ' || current_database()")
    assert done.stdout.decode() == "app_user on app_db\n", done.stderr


def test_the_password_is_in_no_environment_command_line_or_file(
    address: PostgresAddress, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    look = 'tr "\\0" "\\n" </proc/$$/environ; tr "\\0" "\\n" </proc/$$/cmdline; ls -A "${TMPDIR:-/tmp}"'
    done = run(["env", f"TMPDIR={tmp_path}", *postgres_shell.connected(look, address, ())])
    assert done.returncode == 0, done.stderr
    assert postgres_server.password not in done.stdout.decode()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["a:b\\c", "\ufeffa:b\\c\r\n", "  a:b\\c  "])
def test_a_password_with_special_characters_is_passed_on(address: PostgresAddress, tmp_path: Path, text: str) -> None:
    (tmp_path / "secret").write_text(text)
    there = replace(address, password_file=str(tmp_path / "secret"))
    assert run(postgres_shell.connected("cat <&9", there, ())).stdout == b"*:*:*:*:a\\:b\\\\c\n"


def test_a_missing_password_file_is_named(address: PostgresAddress) -> None:
    done = run(postgres_shell.connected("true", replace(address, password_file="/nowhere/secret"), ()))
    assert done.returncode == 78
    assert "password file /nowhere/secret cannot be read" in done.stderr.decode()
