"""`python -m plumbline.releases 0.2.0` makes that release of this checkout."""

from __future__ import annotations

import argparse
import subprocess
import sys
from datetime import UTC, datetime

from servicekit import facts

from plumbline import ROOT
from plumbline.errors import PlumblineError
from plumbline.releases import make


def parser() -> argparse.ArgumentParser:
    """Return the command line of `nox -s release`."""
    made = argparse.ArgumentParser(prog="nox -s release --", description=make.__doc__)
    made.add_argument("version", metavar="VERSION", help="its number, such as 0.2.0")
    return made


def main(arguments: list[str] | None = None) -> int:
    """Return the exit code: 0 made, 1 refused or failed, 2 wrong usage."""
    options = parser().parse_args(arguments)
    try:
        print(make.make(ROOT, options.version, facts.VERSION, datetime.now(UTC).date(), _write_pages))
    except PlumblineError as error:
        print(f"release: {error}", file=sys.stderr)
        if error.hint:
            print(f"next: {error.hint}", file=sys.stderr)
        return 1
    return 0


def _write_pages() -> None:
    # A process of its own, which reads the version as it is now.
    command = [sys.executable, "-m", "plumbline.verification.docs"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise PlumblineError(f"the generated pages cannot be written: {done.stderr.strip()}")


if __name__ == "__main__":
    sys.exit(main())
