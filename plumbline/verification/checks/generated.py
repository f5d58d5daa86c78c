"""What the deployed program generates for new stacks: identities and secrets. Run as a program, it prints two of each.

The program is that of the checkout that the stack was deployed from, which need not be the one of the checks.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from plumbline import ROOT, environment, identity, secret_files
from plumbline.inside import Inside

IDENTITY_MIN = 16
"""Characters of an identity: 64 bits even if only hexadecimal digits are used."""
_WATCH = "plumbline.targets.embedded.watch"


class Generated(NamedTuple):
    """What one new stack gets."""

    identity: str
    secrets: Mapping[str, str]


def program_of(inside: Inside) -> Path:
    """Return the checkout whose program runs the stack: that of its watch, else this one."""
    for one in inside.processes:
        if _WATCH in one.command and not one.place and "PYTHONPATH" in one.environment:
            return Path(one.environment["PYTHONPATH"].partition(os.pathsep)[0])
    return ROOT


def by(checkout: Path) -> list[Generated]:
    """Return what the program of a checkout generates for two new stacks."""
    done = subprocess.run(
        [sys.executable, __file__],
        env=environment.for_python(checkout, checkout / "services" / "servicekit"),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if done.returncode != 0:
        raise RuntimeError(f"the program in {checkout} generates nothing: {done.stderr.strip()[-500:]}")
    return [Generated(**one) for one in json.loads(done.stdout)]


def same_identity(stack_id: str, found: list[Generated]) -> Iterator[str]:
    """Find identities that are short, or that two deployments share: an old process would pass for a new one."""
    all_of = {"the running stack": stack_id}
    all_of |= {f"new deployment {number}": one.identity for number, one in enumerate(found, start=1)}
    for title, ours in all_of.items():
        if len(ours) < IDENTITY_MIN:
            yield f"identity of {title}: {ours!r}; expected at least {IDENTITY_MIN} characters"
        for other, theirs in all_of.items():
            if title < other and ours == theirs:
                yield f"identity of {title} and of {other}: both are {ours!r}; expected each to have its own"


def main() -> None:
    """Print what two new stacks get, as JSON."""
    with tempfile.TemporaryDirectory() as folder:
        stacks = [_generated(Path(folder) / name) for name in ("one", "another")]
    print(json.dumps([one._asdict() for one in stacks]))


def _generated(folder: Path) -> Generated:
    folder.mkdir()
    secret_files.generate(folder)
    return Generated(identity.new(), {path.name: path.read_text() for path in folder.iterdir()})


if __name__ == "__main__":
    main()
