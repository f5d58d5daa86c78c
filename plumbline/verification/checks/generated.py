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
from typing import NamedTuple, NoReturn

from plumbline import ROOT, environment, secret_files
from plumbline.home import Home
from plumbline.inside import Inside
from plumbline.stack import Stack
from plumbline.targets.in_a_home import TargetInAHome

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
    for title, identity in all_of.items():
        if len(identity) < IDENTITY_MIN:
            yield f"identity of {title}: {identity!r}; expected at least {IDENTITY_MIN} characters"
        for other, theirs in all_of.items():
            if title < other and identity == theirs:
                yield f"identity of {title} and of {other}: both are {identity!r}; expected each to have its own"


class _Deployment(TargetInAHome):
    """One that starts nothing."""

    name = "none"

    def stack(self) -> Stack:
        raise NotImplementedError

    def throwaway_postgres(self, script: str, *arguments: str) -> NoReturn:
        raise NotImplementedError

    def postgres_script(self, script: str, *arguments: str) -> list[str]:
        raise NotImplementedError

    def _make_images(self) -> str:
        raise NotImplementedError

    def _bring_up(self, *names: str) -> str:
        raise NotImplementedError

    def _migrate(self, name: str, back_to: str = "") -> str:
        raise NotImplementedError

    def _stop_for_good(self, *names: str) -> None:
        raise NotImplementedError

    def _delete_database(self) -> None:
        raise NotImplementedError

    def generate(self) -> Generated:
        self.home.prepare()
        self._begin({}, resume=False)
        secret_files.generate(self.home.secrets)
        return Generated(
            self._state.stack_id,
            {path.name: text for path in self.home.secrets.iterdir() if (text := path.read_text())},
        )


def main() -> None:
    """Print what two new stacks get, as JSON."""
    with tempfile.TemporaryDirectory() as folder:
        stacks = [_Deployment(Home(Path(folder) / name)).generate() for name in ("one", "another")]
    print(json.dumps([one._asdict() for one in stacks]))


if __name__ == "__main__":
    main()
