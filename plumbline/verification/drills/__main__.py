"""Disturb a new stack while clients use it, and count what was lost: `python -m plumbline.verification.drills`."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace

from plumbline import ROOT, identity
from plumbline.errors import NotGivenError, PlumblineError
from plumbline.verification.drills import disk, record
from plumbline.verification.drills.declared import DRILLS, Drill
from plumbline.verification.drills.judge import WRITES_MIN
from plumbline.verification.drills.run import run
from plumbline.verification.drills.stage import Stage, stage

_RESULTS = ROOT / "test-artifacts" / "drills.json"
_WHOLE_AGAIN_S = 120
_SHOWN = 20


def parser() -> argparse.ArgumentParser:
    """Return the command line of `nox -s drills`."""
    made = argparse.ArgumentParser(prog="python -m plumbline.verification.drills", description=__doc__)
    made.add_argument("--target", choices=record.TARGETS, default="embedded", help="target of the new stack")
    made.add_argument(
        "-k", action="append", metavar="TEXT", help="only drills with this in their name; may be repeated"
    )
    made.add_argument(
        "--writes", type=int, default=WRITES_MIN, help=f"acknowledged writes of a drill (default: {WRITES_MIN})"
    )
    made.add_argument("--record", action="store_true", help=f"keep the result as {record.RECORD.relative_to(ROOT)}")
    return made


def main() -> int:
    """Return the exit code: 0 every drill passed, 1 one did not, or its stack did not come up."""
    options = parser().parse_args()
    chosen = [one for one in DRILLS if any(text in one.name for text in options.k or [""])]
    path = record.RECORD if options.record else _RESULTS
    rows: dict[str, record.Row] = {}
    failed = False
    for small in (False, True):
        drills = [one for one in chosen if one.small_disk is small]
        if not drills:
            continue
        try:
            with _stage(options.target, small=small) as made:
                for drill in drills:
                    rows[drill.name] = _drilled(drill, made, options.writes)
                    record.keep(options.target, rows, path)
        except NotGivenError as error:
            rows |= {one.name: {record.NOT_RUN: str(error)} for one in drills}
            record.keep(options.target, rows, path)
        except PlumblineError as error:
            print(f"plumbline.verification.drills: {error}", file=sys.stderr)
            failed = True
    print(f"\n{record.summary(rows)}")
    for name, reason in record.not_run(rows).items():
        print(f"{name}: not run, {reason}")
    return int(bool(failed or record.failed(rows)))


@contextmanager
def _stage(target: str, *, small: bool) -> Iterator[Stage]:
    if not small:
        with stage(target) as made:
            yield made
        return
    with disk.small() as folder, stage(target, folder) as made:
        yield made


def _drilled(drill: Drill, made: Stage, writes_min: int) -> record.Row:
    """Run a drill and return its figures."""
    began = time.monotonic()
    print(f"{drill.name:<24}", end="", flush=True)
    verdict = run(drill, made, writes_min)
    print(f"{'FAILED' if verdict.findings else 'passed'} {time.monotonic() - began:6.1f} s", flush=True)
    for line in verdict.findings[:_SHOWN]:
        print(f"  {line}", flush=True)
    stack = made.stack
    if problems := identity.compare(stack.base_url, stack.stack_id, _WHOLE_AGAIN_S):
        raise PlumblineError(f"the stack is not whole after `{drill.name}`: {'; '.join(problems)}")
    return asdict(replace(verdict, findings=verdict.findings[:_SHOWN]))


if __name__ == "__main__":
    sys.exit(main())
