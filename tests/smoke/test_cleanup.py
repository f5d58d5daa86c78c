"""Checks delete what they create, also after a failure, an interruption and a kill.

Protects from checks that leave accounts and documents in a stack in use.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

from plumbline import ROOT
from plumbline.errors import NotGivenError
from plumbline.stack import Stack
from plumbline.verification.checks.created import PREFIX

# The runs below can create something only if this one can.
pytestmark = pytest.mark.usefixtures("alice")

Database = psycopg.Connection[dict[str, Any]]
NAMES = {"users": "username", "channels": "name", "documents": "filename", "templates": "name"}
CHECKS = """
import os, signal
from plumbline.verification.checks import samples
from plumbline.verification.checks.created import PREFIX

def create(alice, bob):
    channel = alice.create_channel()["id"]
    bob.post(f"/channels/{channel}/join").expect(200)
    bob.post(f"/channels/{channel}/messages", {"content": "x"}).expect(201)
    bob.upload(channel, bob.username + ".png", samples.png()).expect(201)
    alice.post("/data-processor/templates/", {"channel_id": channel, "name": alice.username}).expect(201)
    alice.create_channel("private")
    alice.post(f"/channels/dm/{bob.id}").expect(201)

def test_passes(alice):
    print("the run is", alice.username.rpartition("-")[0])

def test_fails(alice, bob):
    create(alice, bob)
    assert not "on purpose"

def test_is_interrupted(alice, bob):
    create(alice, bob)
    os.kill(os.getpid(), signal.SIGTERM)
    signal.pause()

def test_is_killed(alice, bob):
    create(alice, bob)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def count_rows(database: Database, run: str) -> dict[str, int]:
    """Return how many rows have a name of that run, by table."""
    found = {}
    for table, column in NAMES.items():
        statement = psycopg.sql.SQL("SELECT count(*) AS n FROM {} WHERE strpos({}, %s) > 0")
        query = statement.format(psycopg.sql.Identifier(table), psycopg.sql.Identifier(column))
        found[table] = (database.execute(query, (run,)).fetchone() or {})["n"]
    return found


def run_check(stack: Stack, folder: Path, wanted: str) -> tuple[int, str]:
    """Run the check `wanted` of CHECKS on the stack; return the exit code and the name of the run."""
    if not stack.home:
        raise NotGivenError("needs the stack's home (not available for a remote stack)")
    checks = folder / "test_checks.py"
    checks.write_text(CHECKS)
    plugins = ("disrupt", "stack", "created")
    command = [sys.executable, "-m", "pytest", "-c", "pyproject.toml", "--capture=no", "-p", "no:cacheprovider"]
    command += [option for name in plugins for option in ("-p", f"plumbline.verification.plugins.{name}")]
    command += ["--home", stack.home, "-k", f"test_passes or {wanted}", str(checks)]
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'services/servicekit'}"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600, check=False)
    _, _, said = done.stdout.partition("the run is ")
    run = said.split()[0] if said else ""
    assert run.startswith(PREFIX), done.stdout + done.stderr
    return done.returncode, run


@pytest.mark.parametrize(("wanted", "code"), [("test_fails", 1), ("test_is_interrupted", 2)])
def test_an_aborted_run_deletes_what_it_created(
    stack: Stack, database: Database, tmp_path: Path, wanted: str, code: int
) -> None:
    ended, run = run_check(stack, tmp_path, wanted)
    assert ended == code
    assert count_rows(database, run) == dict.fromkeys(NAMES, 0)


def test_the_next_run_deletes_what_a_killed_one_left(stack: Stack, database: Database, tmp_path: Path) -> None:
    ended, killed = run_check(stack, tmp_path, "test_is_killed")
    assert ended == -9
    assert count_rows(database, killed) == {"users": 2, "channels": 3, "documents": 1, "templates": 1}
    ended, run = run_check(stack, tmp_path, "nothing_else")
    assert ended == 0
    for one in (killed, run):
        assert count_rows(database, one) == dict.fromkeys(NAMES, 0)
