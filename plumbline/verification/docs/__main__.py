"""Writes the generated pages; with `--check`, lists those that are out of date."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from plumbline import ROOT
from plumbline.errors import PlumblineError
from plumbline.verification.docs import site


def main(arguments: list[str] | None = None) -> int:
    """Return the exit code: 0 done or up to date, 1 out of date or failed, 2 wrong usage."""
    parser = argparse.ArgumentParser(prog="python -m plumbline.verification.docs", description=site.__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a page is not up to date")
    options = parser.parse_args(arguments)
    try:
        if options.check:
            return _check()
        changed = site.write()
    except PlumblineError as error:
        return _failed(error)
    except ExceptionGroup as group:
        return _failed(*group.exceptions)
    print("\n".join(changed) if changed else "Nothing to change.")
    return 0


def _failed(*errors: Exception) -> int:
    for error in errors:
        print(f"plumbline.verification.docs: {error}", file=sys.stderr)
        if hint := getattr(error, "hint", None):
            print(f"next: {hint}", file=sys.stderr)
    return 1


def _check() -> int:
    differences = site.check()
    if not differences:
        print("The generated pages are up to date.")
        return 0
    print("These pages are out of date:", file=sys.stderr)
    for difference in differences:
        print(f"  {difference}", file=sys.stderr)
    print(f"next: {_python()} -m plumbline.verification.docs, look at the difference, and commit it", file=sys.stderr)
    return 1


def _python() -> str:
    # The interpreter that runs this has the packages.
    path = Path(sys.executable)
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


if __name__ == "__main__":
    sys.exit(main())
