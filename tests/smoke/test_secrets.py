"""Secrets are hard to guess, unique, readable only by their owner, and only in their files.

Protects from secrets that can be guessed, read or found in files.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from plumbline.components import COMPONENTS
from plumbline.inside import Inside
from plumbline.stack import Stack
from plumbline.targets.base import Target
from plumbline.verification.checks import asked, findings, generated, secrecy

THEN = "delete the secret files that are named, then ./deploy-local.sh: it makes new ones and restarts what reads them"
LINES = 20_000


@pytest.fixture
def home(stack: Stack) -> Path:
    return asked.home_of(stack)


@pytest.fixture
def secrets(home: Path) -> dict[str, str]:
    found, problems = secrecy.read(home)
    findings.require_none(problems, about="secrets of the stack cannot be read", then=THEN)
    return found


def test_only_the_owner_can_read_the_home(home: Path, inside: Inside) -> None:
    findings.require_none(
        secrecy.readable(home, inside), about="the home is open to others", then="chmod what is named"
    )


def test_secrets_are_hard_to_guess_and_different(secrets: dict[str, str]) -> None:
    findings.require_none(secrecy.weak(secrets), about="secrets of the stack protect nothing", then=THEN)


def test_every_stack_has_its_own_secrets(secrets: dict[str, str], inside: Inside) -> None:
    """Protects from the secrets of one stack that open all others."""
    created = generated.by(generated.program_of(inside))
    found = secrecy.constant(secrets, [one.secrets for one in created])
    findings.require_none(found, about="secrets are not the stack's own", then=f"plumbline/secret_files.py; {THEN}")


def test_no_process_shows_a_secret(secrets: dict[str, str], inside: Inside) -> None:
    found = secrecy.in_processes(secrets, inside)
    findings.require_none(found, about="processes show secrets to all who can list them", then=THEN)


def test_no_file_or_log_contains_a_secret(secrets: dict[str, str], home: Path, target: Target) -> None:
    logs = {name: target.log_tail(name, LINES) for name in COMPONENTS}
    found = [*secrecy.in_files(secrets, home), *secrecy.in_logs(secrets, logs)]
    findings.require_none(found, about="secrets are written where they do not belong", then=THEN)
